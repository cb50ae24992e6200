//! What of the server's surroundings an agency's connectors may use.

use std::io::Read as _;
use std::path::{Path, PathBuf};

use changtong_catalog::agency::Agency;
use changtong_catalog::error::{Code, Refusal};
use changtong_connectors::root::Root;
use changtong_connectors::runner::Surroundings;

use crate::settings::Settings;

/// The folder of an agency below `connectors.root` and `connectors.secrets`: its credit code, or its id if it has none.
#[must_use]
pub fn agency_folder(agency: &Agency) -> String {
    agency.names.code.clone().unwrap_or_else(|| agency.id.to_string())
}

/// The files of an agency's connectors.
pub(super) fn files(settings: &Settings, agency: &Agency) -> Result<Root, Refusal> {
    let root = settings.connectors.root.clone().unwrap_or_else(|| settings.data.dir.join("files"));
    let folder = agency_folder(agency);
    // Where that is on the server's machine is not for an agency to know; an operator sees it in `changtong doctor`.
    Ok(Root::open(&root.join(&folder))?.called(format!("connectors.root/{folder}")))
}

pub(super) struct Around {
    secrets: PathBuf,
    databases: Vec<String>,
}

impl Around {
    pub fn of(settings: &Settings, agency: &Agency) -> Self {
        let secrets = settings.connectors.secrets.clone();
        let secrets = secrets.unwrap_or_else(|| settings.data.dir.join("secrets"));
        let databases = settings.connectors.databases.clone();
        Self { secrets: secrets.join(agency_folder(agency)), databases }
    }

    fn read(folder: &Path, name: &str) -> Result<String, Refusal> {
        let mut text = String::new();
        let read = Root::open(folder)?.read(name)?.read_to_string(&mut text);
        read.map_err(|_| no_secret(name))?;
        Ok(text.trim_end_matches(['\r', '\n']).to_owned())
    }
}

impl Surroundings for Around {
    fn secret(&self, reference: &str) -> Result<String, Refusal> {
        let name = reference.strip_prefix("file:").ok_or_else(|| no_secret(reference))?;
        let secret = Self::read(&self.secrets, name)?;
        if secret.is_empty() { Err(no_secret(name)) } else { Ok(secret) }
    }

    fn may_reach(&self, host: &str, port: u16) -> Result<(), Refusal> {
        let wanted = format!("{host}:{port}");
        if self.databases.contains(&wanted) {
            return Ok(());
        }
        Err(Refusal::new(
            Code::Forbidden,
            format!("服务器不允许连接器访问数据库 {wanted};请管理员将其加入 connectors.databases"),
            format!(
                "connectors may not reach the database {wanted}; an operator adds it to connectors.databases"
            ),
        ))
    }
}

fn no_secret(name: &str) -> Refusal {
    // The text is not repeated where it may be the secret itself.
    let shown = name.strip_prefix("file:").map_or("", |name| name);
    Refusal::new(
        Code::Invalid,
        format!("口令须写作 file:名称,且文件 {shown} 在 connectors.secrets 下本机构的目录中、不为空"),
        format!(
            "a password is named as file:NAME, and the file {shown} lies, not empty, in the agency's folder of \
             connectors.secrets"
        ),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_named_databases_and_files_of_the_folder_are_reached() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("pg"), "sesame\n").unwrap();
        let around =
            Around { secrets: folder.path().to_owned(), databases: vec!["db.example:5432".to_owned()] };
        assert_eq!(around.secret("file:pg").unwrap(), "sesame");
        for reference in ["sesame", "env:PASSWORD", "file:../pg", "file:/etc/passwd", "file:none"] {
            assert!(around.secret(reference).is_err(), "{reference}");
        }
        assert!(around.may_reach("db.example", 5432).is_ok());
        assert_eq!(around.may_reach("127.0.0.1", 5432).unwrap_err().code, Code::Forbidden);
    }
}
