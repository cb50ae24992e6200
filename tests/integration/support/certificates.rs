//! A certificate authority of a test's own, and what it issues.

use std::net::IpAddr;

use changtong::clock::{MachineClock, SystemIds};
use changtong_catalog::clock::{Clock as _, Ids as _};
use openssl::asn1::Asn1Time;
use openssl::bn::BigNum;
use openssl::ec::{EcGroup, EcKey};
use openssl::hash::MessageDigest;
use openssl::nid::Nid;
use openssl::pkey::{PKey, Private};
use openssl::x509::extension::{BasicConstraints, SubjectAlternativeName};
use openssl::x509::{X509, X509Builder, X509Name, X509NameBuilder};

const DAY: i64 = 86_400;

pub struct Authority {
    certificate: X509,
    key: PKey<Private>,
}

/// A certificate with its key, both PEM; the key in PKCS #8.
pub struct Issued {
    pub certificate: Vec<u8>,
    pub key: Vec<u8>,
}

impl Authority {
    pub fn new(name: &str) -> Self {
        let key = key();
        let mut builder = begun(&subject(name), &key, -1..30);
        builder.set_issuer_name(&subject(name)).expect("its issuer");
        let authority = BasicConstraints::new().critical().ca().build().expect("an extension");
        builder.append_extension(authority).expect("it is an authority");
        builder.sign(&key, MessageDigest::sha256()).expect("it is signed");
        Self { certificate: builder.build(), key }
    }

    pub fn pem(&self) -> Vec<u8> {
        self.certificate.to_pem().expect("PEM")
    }

    /// For a host name or an address, valid in these days from now.
    pub fn issue(&self, host: &str, days: std::ops::Range<i64>) -> Issued {
        let key = key();
        let mut builder = begun(&subject("test"), &key, days);
        builder.set_issuer_name(self.certificate.subject_name()).expect("its issuer");
        let mut names = SubjectAlternativeName::new();
        match host.parse::<IpAddr>() {
            Ok(_) => names.ip(host),
            Err(_) => names.dns(host),
        };
        let names = names.build(&builder.x509v3_context(Some(&self.certificate), None)).expect("a name");
        builder.append_extension(names).expect("its name");
        builder.sign(&self.key, MessageDigest::sha256()).expect("it is signed");
        Issued {
            certificate: builder.build().to_pem().expect("PEM"),
            key: key.private_key_to_pem_pkcs8().expect("PEM"),
        }
    }
}

fn key() -> PKey<Private> {
    let curve = EcGroup::from_curve_name(Nid::X9_62_PRIME256V1).expect("a curve");
    PKey::from_ec_key(EcKey::generate(&curve).expect("a key")).expect("a key")
}

fn subject(name: &str) -> X509Name {
    let mut builder = X509NameBuilder::new().expect("a name");
    builder.append_entry_by_nid(Nid::COMMONNAME, name).expect("its entry");
    builder.build()
}

fn begun(subject: &X509Name, key: &PKey<Private>, days: std::ops::Range<i64>) -> X509Builder {
    let mut number = [0; 8];
    SystemIds.fill(&mut number);
    let number = BigNum::from_slice(&number).and_then(|number| number.to_asn1_integer()).expect("a number");
    let now = MachineClock::start().now().timestamp();
    let at = |day: i64| Asn1Time::from_unix(now + day * DAY).expect("a time");
    let mut builder = X509Builder::new().expect("a certificate");
    builder.set_version(2).expect("its version");
    builder.set_serial_number(&number).expect("its number");
    builder.set_subject_name(subject).expect("its subject");
    builder.set_not_before(&at(days.start)).expect("its begin");
    builder.set_not_after(&at(days.end)).expect("its end");
    builder.set_pubkey(key).expect("its key");
    builder
}
