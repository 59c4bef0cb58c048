//! Two real instances with one Redis behind a real nginx, configured as in
//! `deploy/nginx.conf`.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{
    net::{IpAddr, Ipv4Addr, TcpListener},
    path::Path,
    process::{Command, Stdio},
};

use countersign_test_support::{Running, SECRET_KEY};
use plivo_simulator::{Settings, Simulator};
use redis_test_server::RedisServer;
use reqwest::{Certificate, Client, Method, Response};
use serde_json::{Value, json};

const NGINX: &str = "/usr/sbin/nginx";
const SAMPLE: &str = include_str!("../../deploy/nginx.conf");

fn command(directory: &Path, settings: &[(&str, &str)]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_countersign"));
    command
        .env_clear()
        .env("LISTEN_ADDR", "127.0.0.1:0")
        .env("METRICS_ADDR", "off")
        .env("LOG_FORMAT", "json")
        .envs(settings.iter().copied())
        .current_dir(directory);
    command
}

/// nginx in front of instances, stopped when dropped.
struct Nginx {
    directory: tempfile::TempDir,
    certificate: String,
    port: u16,
    plain_port: u16,
}

impl Nginx {
    fn start(instances: &[Running]) -> Self {
        // The ports are free when they are chosen, and usually still when nginx binds
        // them.
        (0..20)
            .find_map(|_| Self::try_start(instances))
            .expect("nginx starts: cargo xtask test installs it")
    }

    fn try_start(instances: &[Running]) -> Option<Self> {
        let directory = tempfile::tempdir().unwrap();
        let certified = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        let nginx = Self {
            certificate: certified.cert.pem(),
            port: free_port(),
            plain_port: free_port(),
            directory,
        };
        let mut site = SAMPLE.to_owned();
        let mut put = |sample: &str, ours: &str| {
            assert!(site.contains(sample), "deploy/nginx.conf has no {sample}");
            site = site.replace(sample, ours);
        };
        put("listen 443 ", &format!("listen 127.0.0.1:{} ", nginx.port));
        put(
            "listen 80;",
            &format!("listen 127.0.0.1:{};", nginx.plain_port),
        );
        put("127.0.0.1:8081", &instances[0].address);
        put("127.0.0.1:8082", &instances[1].address);
        put("/etc/ssl/countersign/fullchain.pem", "certificate.pem");
        put("/etc/ssl/countersign/privkey.pem", "key.pem");
        // Lets the test see which instance answered.
        let whole = format!(
            "worker_processes 1; pid nginx.pid; error_log error.log;
            events {{}}
            http {{
                client_body_temp_path body; proxy_temp_path proxy;
                fastcgi_temp_path fastcgi; scgi_temp_path scgi; uwsgi_temp_path uwsgi;
                add_header x-instance $upstream_addr always;
                {site}
            }}"
        );
        for (name, text) in [
            ("nginx.conf", &whole),
            ("certificate.pem", &nginx.certificate),
            ("key.pem", &certified.signing_key.serialize_pem()),
        ] {
            std::fs::write(nginx.directory.path().join(name), text).unwrap();
        }
        // It moves to the background once it listens.
        let started = nginx.command().status().expect("nginx is installed");
        started.success().then_some(nginx)
    }

    fn command(&self) -> Command {
        let mut command = Command::new(NGINX);
        let directory = self.directory.path();
        command.arg("-p").arg(directory).args(["-c", "nginx.conf"]);
        command.stdin(Stdio::null()).stdout(Stdio::null());
        command.stderr(Stdio::null());
        command
    }

    fn url(&self, path: &str) -> String {
        format!("https://localhost:{}{path}", self.port)
    }

    /// A client at that loopback address.
    fn client(&self, address: [u8; 4]) -> Client {
        let certificate = Certificate::from_pem(self.certificate.as_bytes()).unwrap();
        Client::builder()
            .no_proxy()
            .local_address(IpAddr::from(Ipv4Addr::from(address)))
            .add_root_certificate(certificate)
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .unwrap()
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        self.command().args(["-s", "stop"]).status().ok();
    }
}

fn free_port() -> u16 {
    let socket = TcpListener::bind("127.0.0.1:0").unwrap();
    socket.local_addr().unwrap().port()
}

fn instance(answer: &Response) -> String {
    let header = answer.headers().get("x-instance").expect("who answered");
    // After failed attempts, the last instance answered.
    let all = header.to_str().unwrap();
    all.rsplit(", ").next().unwrap().to_owned()
}

#[tokio::test]
async fn two_instances_behind_nginx_act_as_one_and_see_callers_addresses() {
    rustls::crypto::ring::default_provider()
        .install_default()
        .ok();
    let directory = tempfile::tempdir().unwrap();
    let simulator = Simulator::start(Settings::default()).unwrap();
    let redis = RedisServer::start();
    let (account, redis_url, plivo) = (Settings::default(), redis.url(), simulator.base_url());
    let settings = [
        ("PLIVO_MODE", "live"),
        ("PLIVO_AUTH_ID", account.auth_id.as_str()),
        ("PLIVO_AUTH_TOKEN", account.auth_token.as_str()),
        ("PLIVO_BASE_URL", plivo.as_str()),
        ("ALLOWED_COUNTRIES", "*"),
        ("SPEND_CAP", "off"),
        ("STORE_URL", redis_url.as_str()),
        ("SECRET_KEY", SECRET_KEY),
        ("PROOF_SIGNING_KEYS_FILE", "keys.json"),
        ("PUBLIC_URL", "https://verify.example.com"),
        ("TRUSTED_PROXIES", "127.0.0.1"),
        ("LIMIT_SENDS_PER_ADDRESS", "2/10m"),
    ];
    let mut rotate = command(directory.path(), &settings);
    let made = rotate.arg("--rotate-proof-key").output().unwrap();
    assert!(made.status.success());
    let mut instances =
        Vec::from([(); 2].map(|()| Running::start(command(directory.path(), &settings))));
    let nginx = Nginx::start(&instances);

    // Plain HTTP is redirected to HTTPS.
    let client = nginx.client([127, 0, 0, 1]);
    let plain = format!("http://127.0.0.1:{}/a?b", nginx.plain_port);
    let answer = client.get(plain).send().await.unwrap();
    assert_eq!(answer.status(), 308);
    assert_eq!(answer.headers()["location"], "https://127.0.0.1/a?b");

    // However many addresses a caller forges, only two sends pass.
    let ask = async |client: &Client, recipient: &str, forged: &str| {
        let request = client
            .post(nginx.url("/api/otp/send"))
            .header("x-forwarded-for", forged)
            .header("forwarded", format!("for={forged}"))
            .json(&json!({"recipient": recipient}));
        request.send().await.unwrap()
    };
    let answer = ask(&client, "+14155552671", "198.51.100.1").await;
    assert_eq!(answer.status(), 200);
    let started_on = instance(&answer);
    let sent: Value = answer.json().await.unwrap();
    let other = ask(&client, "+14155552672", "198.51.100.2").await;
    assert_eq!(other.status(), 200);
    let limited = ask(&client, "+14155552673", "198.51.100.3").await;
    assert_eq!(limited.status(), 429);
    // Another caller has its own limit.
    let neighbour = nginx.client([127, 0, 0, 2]);
    let passed = ask(&neighbour, "+14155552673", "127.0.0.1").await;
    assert_eq!(passed.status(), 200);

    // An event arrives at once, while the stream stays open.
    let id = sent["session_uuid"].as_str().unwrap();
    let events = nginx.url(&format!("/api/otp/sessions/{id}/events"));
    let mut events = client.get(events).send().await.unwrap();
    assert_eq!(events.headers()["content-type"], "text/event-stream");
    let mut told = String::new();
    while !told.contains("\"status\":\"pending\"") {
        let chunk = events.chunk().await.unwrap().expect("it stays open");
        told += str::from_utf8(&chunk).unwrap();
    }
    drop(events);

    // The instance on which the session began dies; the other continues it.
    instances.retain(|instance| instance.address != started_on);
    assert_eq!(instances.len(), 1);
    let messages = simulator.messages();
    let message = messages
        .iter()
        .find(|it| it.recipient.contains("4155552671"));
    let otp = &message.expect("it was sent").otp;
    let check = json!({"session_uuid": id, "otp": otp});
    let request = client.post(nginx.url("/api/otp/verify")).json(&check);
    let verified = request.send().await.unwrap();
    assert_eq!(instance(&verified), instances[0].address);
    let verified: Value = verified.json().await.unwrap();
    assert_eq!(verified["verified"], true, "{verified}");
    assert_eq!(simulator.calls().create, 3);

    // If no instance is left, nginx answers in our words.
    instances.clear();
    let request = client.request(Method::POST, nginx.url("/api/otp/verify"));
    let down = request.json(&check).send().await.unwrap();
    assert_eq!(down.status(), 503);
    assert_eq!(down.headers()["retry-after"], "5");
    let down: Value = down.json().await.unwrap();
    assert_eq!(down["code"], "temporarily_unavailable");

    // nginx logs failed requests, but without secrets from their paths.
    let secret = "a-secret-of-the-callback";
    let large = "x".repeat(100_000);
    for (method, path) in [
        (Method::POST, format!("/api/plivo/callback/{secret}")),
        (Method::GET, format!("/api/plivo/callback/{secret}?a=b")),
        (Method::GET, format!("/api/otp/sessions/{id}")),
        (Method::HEAD, format!("/api/otp/sessions/{id}")),
        (Method::GET, format!("/api/otp/sessions/{id}/events")),
        (Method::GET, format!("/api/otp/sessions/{id}/no-such-thing")),
    ] {
        for body in ["", &large] {
            let request = client.request(method.clone(), nginx.url(&path));
            request.body(body.to_owned()).send().await.ok();
        }
    }
    let log = std::fs::read_to_string(nginx.directory.path().join("error.log")).unwrap();
    assert!(log.contains("/api/otp/verify"), "{log}");
    assert!(!log.contains(secret) && !log.contains(id), "{log}");
}
