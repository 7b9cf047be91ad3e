//! Kamailio's I-CSCF and S-CSCF on loopback, by configurations of our own.

use std::{fs, path::Path, process::Command};

use crate::{Outcome, process::Process};

/// Where phones find it.
pub(crate) const ICSCF: &str = "127.0.0.1:5052";

const PROGRAMS: [(&str, &str, &str); 2] =
    [("icscf", include_str!("kamailio/icscf.cfg"), "3870"), ("scscf", include_str!("kamailio/scscf.cfg"), "3871")];
const DIAMETER: &str = include_str!("kamailio/diameter.xml");

/// The one S-CSCF that the I-CSCF knows, as tables of text.
const TABLES: [(&str, &str); 4] = [
    ("version", "table_name(string) table_version(int)\nnds_trusted_domains:1\ns_cscf:6\ns_cscf_capabilities:6\n"),
    ("nds_trusted_domains", "id(int,auto) trusted_domain(string)\n1:ims.example\n"),
    ("s_cscf", "id(int,auto) name(string) s_cscf_uri(string)\n1:scscf:sip\\:scscf.ims.example\\:5054\n"),
    ("s_cscf_capabilities", "id(int,auto) id_s_cscf(int) capability(int)\n1:1:1\n"),
];

/// What keeps a Kamailio that is installed from being an S-CSCF: its modules come in packages of their own.
pub(crate) fn missing() -> Option<&'static str> {
    let has = |module: &str| {
        let under = |entry: fs::DirEntry| entry.path().join("kamailio/modules").join(module).exists();
        let places = ["/usr/lib", "/usr/local/lib", "/usr/lib64", "/usr/local/lib64"];
        places.iter().any(|place| {
            let path = Path::new(place);
            path.join("kamailio/modules").join(module).exists()
                || fs::read_dir(path).is_ok_and(|entries| entries.flatten().any(under))
        })
    };
    let modules = [("ims_auth.so", "kamailio-ims-modules"), ("presence.so", "kamailio-presence-modules")];
    modules.into_iter().find(|(module, _)| !has(module)).map(|(_, package)| package)
}

/// Starts both. They connect to the HSS by its name, so each has a file of hosts of its own.
pub(crate) fn start(folder: &Path) -> Outcome<Vec<Process>> {
    fs::create_dir_all(folder.join("db"))?;
    for (name, text) in TABLES {
        fs::write(folder.join("db").join(name), text)?;
    }
    fs::write(folder.join("hosts"), "127.0.0.1 localhost hss.ims.example icscf.ims.example scscf.ims.example\n")?;
    let here = folder.display().to_string();
    let start = |(name, settings, port): (&str, &str, &str)| {
        fs::write(folder.join(format!("{name}.cfg")), settings.replace("{{folder}}", &here))?;
        let diameter = DIAMETER.replace("{{name}}", name).replace("{{port}}", port);
        fs::write(folder.join(format!("{name}.xml")), diameter)?;
        let mut kamailio = Command::new("unshare");
        let with_hosts = "mount --bind hosts /etc/hosts && exec kamailio -f \"$0.cfg\" -DD -E -m 64 -M 16";
        kamailio.args(["--mount", "sh", "-c", with_hosts, name]);
        Process::start(name, &mut kamailio, folder)
    };
    PROGRAMS.into_iter().map(start).collect()
}
