//! Settings: precedence, provenance, refusals, and the files of config/.

use std::path::{Path, PathBuf};

use super::*;

fn config(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("config").join(name)
}

fn load(sources: &Sources) -> Result<Settings, SettingsError> {
    sources.load().map(|loaded| loaded.settings)
}

fn with_file(text: &str) -> Result<Loaded, SettingsError> {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("changtong.toml");
    std::fs::write(&path, text).unwrap();
    Sources { file: Some(path), ..Sources::default() }.load()
}

fn with_variable(name: &str, value: &str) -> Result<Settings, SettingsError> {
    load(&Sources { environment: vec![(name.into(), value.into())], ..Sources::default() })
}

#[test]
fn the_last_source_wins_and_is_remembered() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("changtong.toml");
    std::fs::write(&path, "[log]\npartitions = 5\nprefix = 'a.'\n[time]\nwindow = '2s'\n").unwrap();
    let sources = Sources {
        file: Some(path.clone()),
        environment: vec![
            ("CHANGTONG_LOG__PREFIX".into(), "b.".into()),
            ("CHANGTONG_TIME__WINDOW".into(), "3s".into()),
        ],
        flags: vec![Flag { flag: "--window", key: "time.window", value: "4s".into() }],
        dev: false,
    };
    let loaded = sources.load().unwrap();
    assert_eq!(loaded.settings.log.partitions, 5);
    assert_eq!(loaded.settings.log.prefix, "b.");
    assert_eq!(loaded.settings.time.window.as_secs(), 4);
    let origin =
        |wanted: &str| loaded.origins.iter().find(|(key, ..)| key.path() == wanted).unwrap().2.clone();
    assert_eq!(origin("log.partitions"), Origin::File(path));
    assert_eq!(origin("log.prefix"), Origin::Environment("CHANGTONG_LOG__PREFIX".into()));
    assert_eq!(origin("time.window"), Origin::Flag("--window"));
    assert_eq!(origin("http.listen"), Origin::Default);
}

#[test]
fn unknown_keys_are_refused_with_the_nearest() {
    let message = with_file("[http]\nlisten_adress = '127.0.0.1:1'\n").unwrap_err().to_string();
    assert!(
        message.contains("http.listen_adress") && message.contains("did you mean http.listen?"),
        "{message}"
    );
    let wrong = with_variable("CHANGTONG_HTTP__LISTN", "127.0.0.1:1").unwrap_err().text();
    assert_eq!(wrong.zh, "环境变量 CHANGTONG_HTTP__LISTN:没有 http.listn 这项设置;是否应为 http.listen?");
    assert!(wrong.en.contains("did you mean http.listen?"), "{}", wrong.en);
    let message = with_file("[databse]\nurl = ''\n").unwrap_err().to_string();
    assert!(message.contains("did you mean database?"), "{message}");
    let message = with_variable("CHANGTONG_LOG__PARTITION", "3").unwrap_err().to_string();
    assert!(message.contains("CHANGTONG_LOG__PARTITION") && message.contains("log.partitions"), "{message}");
    assert!(with_variable("CHANGTONG_URL", "http://127.0.0.1:7070").is_ok());
}

#[test]
fn listeners_beyond_loopback_need_a_named_proxy() {
    assert!(with_variable("CHANGTONG_HTTP__LISTEN", "0.0.0.0:7070").is_err());
    assert!(with_variable("CHANGTONG_REGISTRY__LISTEN", "0.0.0.0:8081").is_err());
    assert!(with_variable("CHANGTONG_OPERATIONS__LISTEN", "0.0.0.0:9464").is_err());
    assert!(with_variable("CHANGTONG_OPERATIONS__LISTEN", "10.1.2.3:9464").is_ok());
    let behind = "[http]\nlisten = '0.0.0.0:7070'\nbehind_proxy = true\n";
    assert!(with_file(behind).is_err());
    let named = format!("{behind}trusted_proxies = ['10.0.0.1']\n");
    assert!(with_file(&named).is_ok());
    assert!(with_file(&format!("{named}[registry]\nlisten = '0.0.0.0:8081'\n")).is_ok());
    for listener in ["CHANGTONG_HTTP__LISTEN", "CHANGTONG_REGISTRY__LISTEN"] {
        let dev = Sources {
            environment: vec![(listener.into(), "10.0.0.2:7070".into())],
            dev: true,
            ..Sources::default()
        };
        assert!(load(&dev).unwrap_err().to_string().contains("loopback"), "{listener}");
    }
}

#[test]
fn four_eyes_are_relaxed_under_dev_only() {
    assert!(load(&Sources::default()).unwrap().four_eyes());
    assert!(!load(&Sources { dev: true, ..Sources::default() }).unwrap().four_eyes());
    assert!(with_variable("CHANGTONG_RULES__FOUR_EYES", "false").is_err());
}

#[test]
fn secrets_are_references_and_never_show() {
    use std::os::unix::fs::PermissionsExt;
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("password");
    std::fs::write(&path, "sesame\n").unwrap();
    let reference = format!("file:{}", path.display());
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
    let secret =
        with_variable("CHANGTONG_DATABASE__PASSWORD", &reference).unwrap().database.password.unwrap();
    let open = secret.read().unwrap_err();
    assert!(open.contains("chmod o-rwx"), "{open}");
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o640)).unwrap();
    assert_eq!(secret.read().unwrap(), "sesame");
    assert!(!format!("{secret:?}").contains("sesame"));
    let plain = with_variable("CHANGTONG_DATABASE__PASSWORD", "sesame").unwrap_err().to_string();
    assert!(!plain.contains("sesame"), "{plain}");
}

#[test]
fn of_a_broken_file_only_place_and_key_are_told() {
    let broken = [
        ("[database]\npassword = sesame\n", "line 2, column 12 (at password)", "第 2 行第 12 列(password)"),
        ("[database]\npassword = \"sesame\n", "line 2, column ", "第 2 行"),
        ("[database]\nsesame\n", "line 2, column ", "第 2 行"),
        ("[database]\nc2VzYW1l==\n", "line 2, column ", "第 2 行"),
        ("[database]\nurl = ''\nurl = 'sesame'\n", "line 3, column 1 (at url)", "第 3 行第 1 列(url)"),
    ];
    for (text, en, zh) in broken {
        let said = with_file(text).unwrap_err();
        let both = said.text();
        assert!(both.en.contains(en) && both.zh.contains(zh), "{text}: {} {}", both.en, both.zh);
        for shown in [both.en, both.zh, format!("{said:?}")] {
            assert!(!shown.contains("sesame") && !shown.contains("c2V"), "{text}: {shown}");
        }
    }
}

#[test]
fn a_password_in_an_address_is_refused() {
    for url in ["postgres://u:p@host/db", "postgres://host/db?password=p"] {
        let error = with_variable("CHANGTONG_DATABASE__URL", url).unwrap_err().to_string();
        assert!(error.contains("database.password"), "{error}");
    }
    assert!(with_variable("CHANGTONG_DATABASE__URL", "postgres://u@host:5432/db").is_ok());
    assert!(with_variable("CHANGTONG_DATABASE__URL", "mysql://u@host/db").is_err());
}

#[test]
fn the_commented_default_names_every_key_with_its_default() {
    let text = std::fs::read_to_string(config("default.toml")).unwrap();
    let uncommented: String = text
        .lines()
        .map(|line| match line.strip_prefix("# ") {
            Some(rest) if rest.split_once(" = ").is_some_and(|(key, _)| is_name(key)) => format!("{rest}\n"),
            _ => format!("{line}\n"),
        })
        .collect();
    let loaded = with_file(&uncommented).unwrap();
    let missing: Vec<_> = loaded.origins.iter().filter(|(.., origin)| *origin == Origin::Default).collect();
    assert!(missing.is_empty(), "config/default.toml does not name {missing:?}");
    assert_eq!(loaded.settings, load(&Sources::default()).unwrap());
    assert_eq!(with_file(&text).unwrap().settings, loaded.settings, "config/default.toml sets something");
}

fn is_name(text: &str) -> bool {
    text.bytes().all(|b| b.is_ascii_lowercase() || b == b'_' || b.is_ascii_digit())
}

#[test]
fn every_file_of_config_is_read_and_the_wrong_one_refused() {
    let mut seen = 0;
    for entry in std::fs::read_dir(config("")).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "toml") {
            let sources = Sources { file: Some(path.clone()), environment: Vec::new(), ..Sources::default() };
            let result = sources.load();
            let wrong = path.file_name().is_some_and(|name| name == "wrong-key.toml");
            assert_eq!(result.is_err(), wrong, "{}: {result:?}", path.display());
            seen += 1;
        }
    }
    assert!(seen >= 3, "only {seen} files in config/");
}
