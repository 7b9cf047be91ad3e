//! TLS on both sides of a connection, with rustls: certificates by name, whom to trust, and the check that a peer is
//! the SIP domain that it should be (RFC 5922).

use std::collections::HashMap;
use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytestring::ByteString;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{verify_server_cert_signed_by_trust_anchor, verify_server_name};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::server::danger::ClientCertVerifier;
use rustls::server::{ClientHello, NoClientAuth, ParsedCertificate, ResolvesServerCert, WebPkiClientVerifier};
use rustls::sign::CertifiedKey;
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, RootCertStore, ServerConfig, SignatureScheme, crypto,
};
use tokio::net::TcpStream;
use tokio_rustls::{TlsAcceptor, TlsConnector, TlsStream};
use webpki::EndEntityCert;

use super::wire::Wire;

/// Addresses whose names are kept.
const NAMES: usize = 65_536;

/// Certificates and whom to trust; part of [`Settings`](super::Settings). A clone is the same.
///
/// ```no_run
/// use imscore_sip::tokio::{ClientCertificates, Settings, Tls, TlsConfig};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let read = || -> Result<TlsConfig, Box<dyn std::error::Error>> {
///     Ok(TlsConfig::new()
///         .identity(&std::fs::read("chain.pem")?, &std::fs::read("key.pem")?)?
///         .trust(&std::fs::read("roots.pem")?)?
///         .clients(ClientCertificates::Required))
/// };
/// let tls = Tls::new(read()?)?;
/// tls.expect("192.0.2.4:5061".parse()?, "ims.example");
/// let mut settings = Settings::default();
/// settings.tls = Some(tls.clone());
/// // Later, with new files in place: connections that are open go on.
/// tls.reload(read()?)?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Tls(Arc<Shared>);

struct Shared {
    state: Mutex<State>,
}

struct State {
    server: Option<Arc<ServerConfig>>,
    client: Arc<ClientConfig>,
    names: HashMap<SocketAddr, ByteString>,
}

/// What [`Tls`] is made of.
#[derive(Clone, Debug)]
pub struct TlsConfig {
    identities: Vec<Arc<CertifiedKey>>,
    roots: RootCertStore,
    clients: ClientCertificates,
}

/// What is asked of peers that connect.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ClientCertificates {
    /// Nothing: phones have none.
    #[default]
    None,
    /// One may be shown, and is then one that a trusted root has signed.
    Optional,
    /// One that a trusted root has signed: between servers (mutual TLS).
    Required,
}

/// Why a [`Tls`] cannot be had.
///
/// ```
/// use imscore_sip::tokio::{TlsConfig, TlsError};
///
/// let refused = TlsConfig::new().trust(b"no certificate");
/// assert!(matches!(refused, Err(TlsError::Pem(_) | TlsError::Certificate(_) | TlsError::NoRoots)));
/// ```
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TlsError {
    /// No PEM text, or none of what is wanted.
    #[error("no {0} in PEM")]
    Pem(&'static str),
    /// A certificate that cannot be read, or a key that is not its.
    #[error("certificate: {0}")]
    Certificate(String),
    /// Certificates of clients cannot be checked without a root.
    #[error("clients are asked for certificates, but no root is trusted")]
    NoRoots,
    /// What rustls makes of the whole.
    #[error("TLS: {0}")]
    Rustls(String),
}

impl TlsConfig {
    /// Nobody yet, trusting nobody.
    pub fn new() -> TlsConfig {
        TlsConfig { identities: Vec::new(), roots: RootCertStore::empty(), clients: ClientCertificates::default() }
    }

    /// Adds a certificate, in PEM with those that lead to its root, and its key. A peer that asks for a name (SNI) is
    /// shown the certificate that has it; any other the first, which is also shown where we connect.
    ///
    /// # Errors
    /// Text without a certificate or key, or a key that is not that of the certificate.
    pub fn identity(mut self, chain: &[u8], key: &[u8]) -> Result<TlsConfig, TlsError> {
        let chain = certificates(chain)?;
        let key = PrivateKeyDer::from_pem_slice(key).map_err(|_| TlsError::Pem("private key"))?;
        let certified = CertifiedKey::from_der(chain, key, &provider());
        let certified = certified.map_err(|error| TlsError::Certificate(error.to_string()))?;
        self.identities.push(Arc::new(certified));
        Ok(self)
    }

    /// Trusts whom these certificates, in PEM, have signed.
    ///
    /// # Errors
    /// Text without a certificate, or one that cannot be a root.
    pub fn trust(mut self, roots: &[u8]) -> Result<TlsConfig, TlsError> {
        for root in certificates(roots)? {
            self.roots.add(root).map_err(|error| TlsError::Certificate(error.to_string()))?;
        }
        Ok(self)
    }

    /// What is asked of peers that connect; without this, nothing.
    #[must_use]
    pub fn clients(mut self, clients: ClientCertificates) -> TlsConfig {
        self.clients = clients;
        self
    }

    fn server(&self) -> Result<Option<Arc<ServerConfig>>, TlsError> {
        let Some(first) = self.identities.first() else {
            return Ok(None);
        };
        let mut by_name = HashMap::new();
        for identity in &self.identities {
            let end_entity = identity.end_entity_cert().map_err(|error| TlsError::Certificate(error.to_string()))?;
            for name in sip_domains(end_entity) {
                by_name.entry(name).or_insert_with(|| identity.clone());
            }
        }
        let certificates = ByName { by_name, first: first.clone() };
        let config = ServerConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()
            .map_err(|error| TlsError::Rustls(error.to_string()))?
            .with_client_cert_verifier(self.client_verifier()?)
            .with_cert_resolver(Arc::new(certificates));
        Ok(Some(Arc::new(config)))
    }

    fn client_verifier(&self) -> Result<Arc<dyn ClientCertVerifier>, TlsError> {
        if self.clients == ClientCertificates::None {
            return Ok(Arc::new(NoClientAuth));
        }
        if self.roots.is_empty() {
            return Err(TlsError::NoRoots);
        }
        let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(self.roots.clone()), provider());
        let verifier = match self.clients {
            ClientCertificates::Optional => verifier.allow_unauthenticated(),
            ClientCertificates::None | ClientCertificates::Required => verifier,
        };
        verifier.build().map_err(|error| TlsError::Rustls(error.to_string()))
    }

    fn client(&self) -> Result<Arc<ClientConfig>, TlsError> {
        let builder = ClientConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()
            .map_err(|error| TlsError::Rustls(error.to_string()))?
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(SipDomain { roots: self.roots.clone(), provider: provider() }));
        let config = match self.identities.first() {
            Some(identity) => {
                let identity = rustls::sign::SingleCertAndKey::from(identity.clone());
                builder.with_client_cert_resolver(Arc::new(identity))
            }
            None => builder.with_no_client_auth(),
        };
        Ok(Arc::new(config))
    }
}

impl Default for TlsConfig {
    fn default() -> TlsConfig {
        TlsConfig::new()
    }
}

impl Tls {
    /// TLS with these certificates.
    ///
    /// # Errors
    /// As [`TlsError`] has them.
    pub fn new(config: TlsConfig) -> Result<Tls, TlsError> {
        let state = State { server: config.server()?, client: config.client()?, names: HashMap::new() };
        Ok(Tls(Arc::new(Shared { state: Mutex::new(state) })))
    }

    /// Uses other certificates from now on; connections that are open go on.
    ///
    /// # Errors
    /// As [`TlsError`] has them; then nothing changes.
    pub fn reload(&self, config: TlsConfig) -> Result<(), TlsError> {
        let (server, client) = (config.server()?, config.client()?);
        let mut state = self.state();
        (state.server, state.client) = (server, client);
        Ok(())
    }

    /// The SIP domain that is to be reached at an address, where no name was looked up for it
    /// ([`Transmit::domain`](crate::Transmit)): a peer there must show a certificate for it (RFC 5922 §7),
    /// and a connection that was opened for another domain is not used. Of an address that was never named, the
    /// certificate must have the IP address itself.
    ///
    /// Room is for 65,536 addresses; one more makes all others forgotten, which refuses and never trusts wrongly.
    pub fn expect(&self, remote: SocketAddr, domain: impl Into<ByteString>) {
        let mut state = self.state();
        if state.names.len() >= NAMES && !state.names.contains_key(&remote) {
            state.names.clear();
        }
        state.names.insert(remote, domain.into());
    }

    /// True where there is a certificate to show to those who connect.
    pub(super) fn can_listen(&self) -> bool {
        self.state().server.is_some()
    }

    pub(super) fn expected(&self, remote: SocketAddr) -> Option<ByteString> {
        self.state().names.get(&remote).cloned()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tls").finish_non_exhaustive()
    }
}

impl PartialEq for Tls {
    fn eq(&self, other: &Tls) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for Tls {}

/// The handshake with a peer that has connected.
pub(super) async fn accept(tls: Option<Tls>, stream: TcpStream) -> io::Result<Wire> {
    let config = tls.and_then(|tls| tls.state().server.clone()).ok_or(io::ErrorKind::Unsupported)?;
    let stream = TlsAcceptor::from(config).accept(stream).await?;
    Ok(Wire::Tls(Box::new(TlsStream::Server(stream))))
}

/// The handshake with a peer that we have connected to.
pub(super) async fn connect(
    tls: Option<&Tls>,
    stream: TcpStream,
    remote: SocketAddr,
    name: Option<&str>,
) -> io::Result<Wire> {
    let config = tls.map(|tls| tls.state().client.clone()).ok_or(io::ErrorKind::Unsupported)?;
    let name = match name {
        Some(name) => ServerName::try_from(name.to_string()).map_err(io::Error::other)?,
        None => ServerName::IpAddress(remote.ip().into()),
    };
    let stream = TlsConnector::from(config).connect(name, stream).await?;
    Ok(Wire::Tls(Box::new(TlsStream::Client(stream))))
}

/// Whether the certificate that a peer has shown, which was found to be trusted, is that of this domain (RFC 5922 §7) or, where
/// none is named, of this address.
pub(super) fn proves(stream: &TlsStream<TcpStream>, name: Option<&str>, address: IpAddr) -> bool {
    let shown = stream.get_ref().1.peer_certificates().and_then(|chain| chain.first());
    shown.is_some_and(|certificate| match name {
        Some(domain) => is_of(certificate, domain),
        None => ParsedCertificate::try_from(certificate)
            .is_ok_and(|parsed| verify_server_name(&parsed, &ServerName::IpAddress(address.into())).is_ok()),
    })
}

/// Whether a certificate is that of a domain: letter by letter, since no wildcard counts (RFC 5922 §7.2).
fn is_of(certificate: &CertificateDer<'_>, domain: &str) -> bool {
    let wanted = domain.trim_end_matches('.');
    sip_domains(certificate).iter().any(|name| name.eq_ignore_ascii_case(wanted))
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(crypto::ring::default_provider())
}

fn certificates(pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    found.ok().filter(|found| !found.is_empty()).ok_or(TlsError::Pem("certificate"))
}

/// Whose certificate it is, in lower case: the domains of its `sip` URIs without a user or, where there is none, its
/// DNS names (RFC 5922 §7.1).
fn sip_domains(certificate: &CertificateDer<'_>) -> Vec<String> {
    let Ok(certificate) = EndEntityCert::try_from(certificate) else {
        return Vec::new();
    };
    let uris = certificate.valid_uri_names().filter_map(|uri| {
        let (scheme, domain) = uri.split_once(':')?;
        let is_domain = scheme.eq_ignore_ascii_case("sip") && !domain.contains(['@', ';', '?', ':']);
        is_domain.then(|| domain.to_ascii_lowercase())
    });
    let uris: Vec<String> = uris.collect();
    if uris.is_empty() { certificate.valid_dns_names().map(str::to_ascii_lowercase).collect() } else { uris }
}

/// A certificate for each name that is asked for (SNI).
#[derive(Debug)]
struct ByName {
    by_name: HashMap<String, Arc<CertifiedKey>>,
    first: Arc<CertifiedKey>,
}

impl ResolvesServerCert for ByName {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let asked = hello.server_name().map(str::to_ascii_lowercase);
        Some(asked.and_then(|name| self.by_name.get(&name)).unwrap_or(&self.first).clone())
    }
}

/// Checks that a certificate leads to a root that is trusted, and is that of the domain.
#[derive(Debug)]
struct SipDomain {
    roots: RootCertStore,
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for SipDomain {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let certificate = ParsedCertificate::try_from(end_entity)?;
        let algorithms = self.provider.signature_verification_algorithms.all;
        verify_server_cert_signed_by_trust_anchor(&certificate, &self.roots, intermediates, now, algorithms)?;
        let ServerName::DnsName(domain) = server_name else {
            verify_server_name(&certificate, server_name)?;
            return Ok(ServerCertVerified::assertion());
        };
        match is_of(end_entity, domain.as_ref()) {
            true => Ok(ServerCertVerified::assertion()),
            false => Err(CertificateError::NotValidForName.into()),
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, certificate, signed, &self.provider.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, certificate, signed, &self.provider.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}
