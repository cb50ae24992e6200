//! What a connector in its own process may use: whatever the account it runs under may. It is the agency's own machine.

use std::path::PathBuf;

use changtong_catalog::error::{Code, Refusal};
use changtong_connectors::runner::Surroundings;

use crate::settings::{Secret, Setting as _};

pub(super) struct Beside {
    /// Relative paths of secrets begin here.
    folder: PathBuf,
}

impl Beside {
    pub fn of(folder: PathBuf) -> Self {
        Self { folder }
    }
}

impl Surroundings for Beside {
    /// `file:PATH`, or `env:NAME`.
    fn secret(&self, reference: &str) -> Result<String, Refusal> {
        let reference = match reference.strip_prefix("file:") {
            Some(path) if !path.is_empty() => format!("file:{}", self.folder.join(path).display()),
            _ => reference.to_owned(),
        };
        Secret::parse(&reference).and_then(|secret| secret.read()).map_err(|reason| {
            Refusal::new(
                Code::Invalid,
                format!("口令无法取得(应写作 file:路径 或 env:变量名):{reason}"),
                format!("the password cannot be had: {reason}"),
            )
        })
    }

    fn may_reach(&self, _: &str, _: u16) -> Result<(), Refusal> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_lies_beside_the_file_and_is_never_repeated() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("pg");
        std::fs::write(&path, "sesame\n").unwrap();
        let private = std::os::unix::fs::PermissionsExt::from_mode(0o600);
        std::fs::set_permissions(&path, private).unwrap();
        let beside = Beside::of(folder.path().to_owned());
        assert_eq!(beside.secret("file:pg").unwrap(), "sesame");
        assert_eq!(beside.secret(&format!("file:{}", path.display())).unwrap(), "sesame");
        for wrong in ["sesame", "file:", "file:none", "env:"] {
            let refusal = beside.secret(wrong).unwrap_err();
            assert!(!refusal.text.en.contains("sesame"), "{refusal}");
        }
    }
}
