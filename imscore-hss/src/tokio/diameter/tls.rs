//! TLS between Diameter peers (RFC 6733 §13.1): both show certificates, and each is held against the name of the peer.

use std::fmt;
use std::io;
use std::sync::{Arc, PoisonError, RwLock};

use ::tokio::net::TcpStream;
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::server::WebPkiClientVerifier;
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use thiserror::Error;
use tokio_rustls::{TlsAcceptor, TlsConnector};
use webpki::EndEntityCert;

use super::carrier::Stream;

/// Our certificate, and whom to trust. Clones are the same.
///
/// ```no_run
/// use imscore_hss::peer::Transport;
/// use imscore_hss::tokio::{Carriers, DiameterTls};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let read = |file| std::fs::read(file);
/// let tls = DiameterTls::new(&read("chain.pem")?, &read("key.pem")?, &read("roots.pem")?)?;
/// let carriers = Carriers::default().tls(tls.clone()).listen(Transport::Tls, ([192, 0, 2, 1], 5658).into());
/// // Later, with new files in place: connections that are open go on.
/// tls.reload(&read("chain.pem")?, &read("key.pem")?, &read("roots.pem")?)?;
/// # let _ = carriers;
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct DiameterTls(Arc<RwLock<Configs>>);

#[derive(Clone)]
struct Configs {
    server: Arc<ServerConfig>,
    client: Arc<ClientConfig>,
}

/// Why there is no TLS.
///
/// ```
/// use imscore_hss::tokio::{DiameterTls, TlsError};
///
/// let refused = DiameterTls::new(b"no certificate", b"no key", b"no roots");
/// assert!(matches!(refused, Err(TlsError::Pem(_) | TlsError::Certificate(_))));
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum TlsError {
    /// No PEM text, or none of what is wanted.
    #[error("no {0} in PEM")]
    Pem(&'static str),
    /// A certificate that cannot be used, or a key that is not its.
    #[error("certificate: {0}")]
    Certificate(String),
}

impl DiameterTls {
    /// In PEM: our certificate with those that lead to its root, its key, and the roots that peers' certificates lead to.
    ///
    /// # Errors
    /// As [`TlsError`] has them.
    pub fn new(chain: &[u8], key: &[u8], roots: &[u8]) -> Result<DiameterTls, TlsError> {
        Ok(DiameterTls(Arc::new(RwLock::new(Configs::read(chain, key, roots)?))))
    }

    /// Uses others from now on; connections that are open go on.
    ///
    /// # Errors
    /// As [`TlsError`] has them; then nothing changes.
    pub fn reload(&self, chain: &[u8], key: &[u8], roots: &[u8]) -> Result<(), TlsError> {
        let configs = Configs::read(chain, key, roots)?;
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = configs;
        Ok(())
    }

    /// Shakes hands with a peer that must have a certificate for its name.
    pub(super) async fn connect(&self, stream: TcpStream, host: &str) -> io::Result<Stream> {
        let _ = stream.set_nodelay(true);
        let name = ServerName::try_from(host.to_owned()).map_err(io::Error::other)?;
        Ok(Stream::over(TlsConnector::from(self.configs().client).connect(name, stream).await?))
    }

    /// Shakes hands with whom has connected, and says which names it has a certificate for.
    pub(super) async fn accept(&self, stream: TcpStream) -> io::Result<(Stream, Vec<String>)> {
        let _ = stream.set_nodelay(true);
        let stream = TlsAcceptor::from(self.configs().server).accept(stream).await?;
        let (_, session) = stream.get_ref();
        let names = session.peer_certificates().and_then(<[_]>::first).map(names).unwrap_or_default();
        Ok((Stream::over(stream), names))
    }

    fn configs(&self) -> Configs {
        self.0.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Configs {
    fn read(chain: &[u8], key: &[u8], roots: &[u8]) -> Result<Configs, TlsError> {
        let chain = certificates(chain)?;
        let key = || PrivateKeyDer::from_pem_slice(key).map_err(|_| TlsError::Pem("private key"));
        let mut trusted = RootCertStore::empty();
        for root in certificates(roots)? {
            trusted.add(root).map_err(unusable)?;
        }
        let trusted = Arc::new(trusted);
        let verifier = WebPkiClientVerifier::builder_with_provider(trusted.clone(), provider());
        let server = ServerConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()
            .map_err(unusable)?
            .with_client_cert_verifier(verifier.build().map_err(unusable)?)
            .with_single_cert(chain.clone(), key()?)
            .map_err(unusable)?;
        let client = ClientConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()
            .map_err(unusable)?
            .with_root_certificates(trusted)
            .with_client_auth_cert(chain, key()?)
            .map_err(unusable)?;
        Ok(Configs { server: Arc::new(server), client: Arc::new(client) })
    }
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(ring::default_provider())
}

fn certificates(pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    found.ok().filter(|found| !found.is_empty()).ok_or(TlsError::Pem("certificate"))
}

fn unusable(error: impl fmt::Display) -> TlsError {
    TlsError::Certificate(error.to_string())
}

/// The DNS names of a certificate, letter by letter: a wildcard names nobody.
fn names(certificate: &CertificateDer<'_>) -> Vec<String> {
    let certificate = EndEntityCert::try_from(certificate);
    certificate.map(|certificate| certificate.valid_dns_names().map(str::to_owned).collect()).unwrap_or_default()
}

impl fmt::Debug for DiameterTls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DiameterTls").finish_non_exhaustive()
    }
}
