//! Commands and a connector in its own process call a server behind a proxy that ends TLS: whom they believe, and what
//! they say of whom they do not.

use crate::shell::Shell;
use crate::support::certificates::Authority;
use crate::support::{Pair, TestApp, TlsProxy, World, resource_file, wait};

async fn behind_a_proxy() -> TestApp {
    let settings =
        [("CHANGTONG_HTTP__BEHIND_PROXY", "true"), ("CHANGTONG_HTTP__TRUSTED_PROXIES", "127.0.0.1")];
    TestApp::start(Pair::Embedded, &settings).await.expect("the embedded engines are always there")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_agencys_own_authority_is_trusted_where_it_is_named() {
    let app = behind_a_proxy().await;
    let (authority, shell) = (Authority::new("the agency's own"), Shell::new());
    shell.write("ca.pem", authority.pem());
    let named = TlsProxy::start(&authority.issue("localhost", -1..30), app.api).await;
    let numbered = TlsProxy::start(&authority.issue("127.0.0.1", -1..30), app.api).await;
    let url = format!("https://localhost:{}", named.port);

    // By flag, which the profile keeps; from any folder.
    shell.line(&format!("login --url {url} --key {} --ca ca.pem", app.authority)).await;
    std::fs::create_dir(shell.path("elsewhere")).expect("a folder");
    let mut command = shell.command(&["agency", "list"]);
    let output = command.current_dir(shell.path("elsewhere")).output().await.expect("the command runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    // By the environment, for an address too.
    let mut command = shell.command(&["agency", "list"]);
    command.env("CHANGTONG_URL", format!("https://127.0.0.1:{}", numbered.port));
    command.env("CHANGTONG_KEY", &app.authority).env("CHANGTONG_CA", "ca.pem");
    let output = command.output().await.expect("the command runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    // As one of the machine's, which OpenSSL is told of by its own variable.
    let mut command = shell.command(&["agency", "list", "--url", &url, "--key", &app.authority]);
    let output = command.env("SSL_CERT_FILE", shell.path("ca.pem")).output().await.expect("the command runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_is_not_trusted_is_told_why_and_given_no_key() {
    let app = behind_a_proxy().await;
    let (authority, shell) = (Authority::new("the agency's own"), Shell::new());
    shell.write("ca.pem", authority.pem());
    let stranger = Authority::new("a stranger");
    shell.write("stranger.pem", stranger.pem());
    shell.write("empty.pem", "");
    let good = TlsProxy::start(&authority.issue("localhost", -1..30), app.api).await;
    let other = TlsProxy::start(&authority.issue("bus.example", -1..30), app.api).await;
    let expired = TlsProxy::start(&authority.issue("localhost", -9..-1), app.api).await;
    let early = TlsProxy::start(&authority.issue("localhost", 2..9), app.api).await;
    let cases = [
        (
            good.port,
            "--ca stranger.pem",
            "not signed by an authority that is trusted",
            "不是由受信任的机构签发的",
        ),
        (good.port, "", "not signed by an authority that is trusted", "不是由受信任的机构签发的"),
        (other.port, "--ca ca.pem", "is for another name", "是为其他名称签发的"),
        (expired.port, "--ca ca.pem", "has expired", "已过期"),
        (early.port, "--ca ca.pem", "is not valid yet", "尚未生效"),
        (app.api.port(), "--ca ca.pem", "does not speak TLS", "没有使用 TLS"),
    ];
    for (port, more, en, zh) in cases {
        let line = format!("agency list --url https://localhost:{port} --key {} {more}", app.authority);
        for (language, wanted) in [("en", en), ("zh_CN.UTF-8", zh)] {
            let mut command = shell.command(&line.split_whitespace().collect::<Vec<_>>());
            let output = command.env("LANG", language).output().await.expect("the command runs");
            let said = String::from_utf8_lossy(&output.stderr).into_owned();
            assert_eq!(output.status.code(), Some(3), "{line}: {said}");
            assert!(said.contains(wanted) && !said.contains(&app.authority), "{line}: {said}");
        }
    }
    let url = format!("https://localhost:{}", good.port);
    for (ca, said) in [("none.pem", "cannot be read"), ("empty.pem", "no certificate")] {
        let line = format!("agency list --url {url} --key ctk_x --ca {ca}");
        assert!(shell.refused(&line, 2).await.contains(said));
    }
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connector_names_the_authority_of_its_bus_in_its_file() {
    let app = behind_a_proxy().await;
    let world = World::of(&app).await;
    let code = world.entry(resource_file("unconditional")).await;
    let (authority, shell) = (Authority::new("the agency's own"), Shell::new());
    let proxy = TlsProxy::start(&authority.issue("localhost", -1..30), app.api).await;
    shell.write("ca.pem", Authority::new("a stranger").pem());
    shell.write("obs.csv", "station,hour,temp,observer\nJFK,1,1.5,王小明\n");
    shell.write(
        "obs-in.toml",
        format!(
            "name = \"obs-in\"\nprocess = \"own\"\nca = \"ca.pem\"\nresource = \"{code}\"\n\
             [source.file]\npath = \"obs.csv\"\nformat = \"csv\"\n"
        ),
    );
    let run = || {
        let log = std::fs::OpenOptions::new().create(true).append(true).open(shell.path("log"));
        let mut command = shell.command(&["connector", "run", "obs-in.toml"]);
        command.env("CHANGTONG_URL", format!("https://localhost:{}", proxy.port));
        command.env("CHANGTONG_KEY", world.provider.integrator.key());
        command.stderr(log.expect("a log")).spawn().expect("it starts")
    };
    // It waits, and says for what.
    let mut process = run();
    wait(async || {
        let said = shell.read("log");
        if said.contains("not signed by an authority that is trusted") { Ok(()) } else { Err(said) }
    })
    .await;
    process.kill().await.expect("kill -9");
    shell.write("ca.pem", authority.pem());
    let mut process = run();
    wait(async || {
        let reply = world.provider.integrator.get("/api/v1/connectors/obs-in").await;
        let done = reply.status == 200 && reply.json()["status"]["details"]["counts"]["accepted"] == 1;
        if done { Ok(()) } else { Err(reply.text) }
    })
    .await;
    process.kill().await.expect("kill -9");
    // The server runs its connectors itself: it has no bus to call.
    shell.write("managed.toml", shell.read("obs-in.toml").replace("process = \"own\"\n", ""));
    let line = format!(
        "connector apply managed.toml --url http://{} --key {}",
        app.api,
        world.provider.integrator.key()
    );
    let refused = shell.refused(&line, 1).await;
    assert!(refused.contains("`ca` is for a connector with process"), "{refused}");
    app.stop().await;
}
