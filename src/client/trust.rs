//! Whom a client takes for its server: who shows a certificate signed by an authority of this machine, or by one of a
//! file and no other. And what it says where nobody is trusted.

use std::path::{Path, PathBuf};

use changtong_catalog::error::Text;
use reqwest::{Certificate, ClientBuilder, tls};

#[derive(Debug, Clone, Default)]
pub struct Trust {
    /// `None`: the authorities of this machine.
    authorities: Option<(PathBuf, Vec<Certificate>)>,
}

impl Trust {
    /// The authorities of a PEM file.
    pub fn of_file(path: &Path) -> Result<Self, Text> {
        let place = path.display();
        let pem = std::fs::read(path).map_err(|error| {
            Text::new(
                format!("证书机构文件 {place} 无法读取:{error}"),
                format!("the file of certificate authorities {place} cannot be read: {error}"),
            )
        })?;
        let found = Certificate::from_pem_bundle(&pem).unwrap_or_default();
        if found.is_empty() {
            return Err(Text::new(
                format!("{place} 中没有证书:应为含 BEGIN CERTIFICATE 的 PEM 文件"),
                format!("there is no certificate in {place}: a PEM file with BEGIN CERTIFICATE is wanted"),
            ));
        }
        Ok(Self { authorities: Some((path.to_path_buf(), found)) })
    }

    /// The file, where one was named.
    #[must_use]
    pub fn file(&self) -> Option<&Path> {
        self.authorities.as_ref().map(|(path, _)| path.as_path())
    }

    pub(super) fn rule(&self, client: ClientBuilder) -> ClientBuilder {
        let client = client.tls_version_min(tls::Version::TLS_1_2);
        match &self.authorities {
            Some((_, certificates)) => client.tls_certs_only(certificates.iter().cloned()),
            None => client,
        }
    }
}

/// Why a connection was not trusted, if that is what an error says. OpenSSL tells its reasons in words alone.
pub(super) fn distrust(error: &reqwest::Error, base: &str) -> Option<Text> {
    let mut said = String::new();
    let mut cause: Option<&dyn std::error::Error> = Some(error);
    while let Some(one) = cause {
        said.push_str(&one.to_string().to_ascii_lowercase());
        said.push('\n');
        cause = one.source();
    }
    of_words(&said, base)
}

fn of_words(said: &str, base: &str) -> Option<Text> {
    let says = |words: &[&str]| words.iter().any(|words| said.contains(words));
    if says(&["wrong version number", "packet length too long"]) {
        return Some(Text::new(
            format!("{base} 没有使用 TLS:地址是否应以 http:// 开头?"),
            format!("{base} does not speak TLS: should the address begin with http://?"),
        ));
    }
    if !says(&["certificate verify failed"]) {
        return None;
    }
    Some(if says(&["certificate has expired"]) {
        Text::new(
            format!("{base} 的证书已过期(或本机时钟有误):请更新证书"),
            format!(
                "the certificate of {base} has expired (or the clock of this machine is wrong): have it renewed"
            ),
        )
    } else if says(&["not yet valid"]) {
        Text::new(
            format!("{base} 的证书尚未生效:请检查本机时钟"),
            format!("the certificate of {base} is not valid yet: check the clock of this machine"),
        )
    } else if says(&["hostname mismatch", "ip address mismatch"]) {
        Text::new(
            format!("{base} 的证书是为其他名称签发的:请改用证书中的名称,或为此名称签发证书"),
            format!(
                "the certificate of {base} is for another name: call the server by a name in it, or have one issued \
                 for this name"
            ),
        )
    } else {
        Text::new(
            format!(
                "{base} 的证书不是由受信任的机构签发的:自建的证书机构请以 --ca、CHANGTONG_CA 或连接器文件的 ca 指明其证书文件"
            ),
            format!(
                "the certificate of {base} is not signed by an authority that is trusted: name the file of your own \
                 authority by --ca, CHANGTONG_CA or `ca` in a connector's file"
            ),
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_without_a_certificate_is_said() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("ca.pem");
        let missing = Trust::of_file(&path).unwrap_err();
        assert!(missing.en.contains("cannot be read") && missing.zh.contains("无法读取"));
        std::fs::write(&path, "-----BEGIN NOTHING-----").unwrap();
        let empty = Trust::of_file(&path).unwrap_err();
        assert!(empty.en.contains("no certificate") && empty.zh.contains("没有证书"));
    }

    #[test]
    fn other_troubles_are_no_distrust() {
        assert_eq!(of_words("connection refused\ntcp connect error", "https://bus"), None);
    }
}
