//! Debian's Chromium with a fresh profile, driven by its chromedriver. Both end with the test.

use std::{
    net::TcpListener as Port,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::Duration,
};

use thirtyfour::{
    By, ChromeCapabilities, ChromiumLikeCapabilities, LoggingPrefsLogLevel, WebDriver,
};

/// Long enough for a slow machine; nothing waits this long unless it fails.
pub const PATIENCE: Duration = Duration::from_secs(30);
/// From one look to the next.
const GLANCE: Duration = Duration::from_millis(100);

/// What one looks at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Screen {
    Desk,
    Phone,
}

/// Chromium with a fresh profile, driven by chromedriver.
pub struct Browser {
    pub driver: WebDriver,
    _driver_process: Killed,
    _profile: Profile,
}

/// A child that does not outlive the test.
struct Killed(Child);

impl Drop for Killed {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

struct Profile(PathBuf);

impl Drop for Profile {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Where a program of Debian's packages is.
fn installed(program: &str) -> PathBuf {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .map(|folder| folder.join(program))
        .find(|file| file.is_file())
        .unwrap_or_else(|| panic!("{program} is missing: apt-get install chromium chromium-driver"))
}

impl Browser {
    /// A window of a desk, or one of a phone.
    pub async fn open(screen: Screen) -> Self {
        let chromium = installed("chromium");
        let port = Port::bind("127.0.0.1:0")
            .unwrap()
            .local_addr()
            .unwrap()
            .port();
        let process = Command::new(installed("chromedriver"))
            .arg(format!("--port={port}"))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("start chromedriver");
        let process = Killed(process);
        let profile = std::env::temp_dir().join(format!("forecourt-browser-{port}"));
        std::fs::create_dir_all(&profile).unwrap();
        let mut capabilities = ChromeCapabilities::new();
        for flag in [
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-quic",
            "--no-first-run",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            "--force-color-profile=srgb",
            "--hide-scrollbars",
        ] {
            capabilities.add_arg(flag).unwrap();
        }
        capabilities
            .add_arg(&format!("--user-data-dir={}", profile.display()))
            .unwrap();
        capabilities.set_binary(chromium.to_str().unwrap()).unwrap();
        capabilities
            .set_browser_log_level(LoggingPrefsLogLevel::All)
            .unwrap();
        match screen {
            Screen::Desk => capabilities.add_arg("--window-size=1440,1160").unwrap(),
            Screen::Phone => capabilities
                .add_experimental_option(
                    "mobileEmulation",
                    serde_json::json!({"deviceMetrics": {"width": 390, "height": 1400, "pixelRatio": 1.0, "touch": true}}),
                )
                .unwrap(),
        }
        let driver = connect(port, &capabilities).await;
        Browser {
            driver,
            _driver_process: process,
            _profile: Profile(profile),
        }
    }

    pub async fn cookie(&self, name: &str, value: &str) {
        let mut cookie = thirtyfour::Cookie::new(name, value);
        cookie.set_path("/");
        self.driver.add_cookie(cookie).await.unwrap();
    }

    /// Waits until the script says true. What it fails on is not there yet: a page may be on its way out or in.
    pub async fn until(&self, script: &str) {
        let patient =
            format!("try {{ return Boolean({script}) }} catch (e) {{ return String(e) }}");
        let started = std::time::Instant::now();
        loop {
            let answer = self.driver.execute(&patient, vec![]).await;
            let answer = answer.map(|said| said.json().clone());
            if matches!(answer, Ok(serde_json::Value::Bool(true))) {
                return;
            }
            assert!(
                started.elapsed() < PATIENCE,
                "never became true: {script}: {answer:?}\n{}",
                self.driver.source().await.unwrap()
            );
            tokio::time::sleep(GLANCE).await;
        }
    }

    /// Clicks on what is found so. What is not there yet, moves or is swapped while one reaches for it, is reached for
    /// again: none of these errors comes of a click that happened.
    pub async fn click_on(&self, what: By) {
        let started = std::time::Instant::now();
        loop {
            match self.reach(&what).await {
                Ok(()) => return,
                Err(error) => assert!(started.elapsed() < PATIENCE, "click on {what:?}: {error}"),
            }
            tokio::time::sleep(GLANCE).await;
        }
    }

    async fn reach(&self, what: &By) -> thirtyfour::error::WebDriverResult<()> {
        let element = self.driver.find(what.clone()).await?;
        element.scroll_into_view().await?;
        element.click().await
    }

    /// What the console complains of, which includes violations of the content security policy.
    pub async fn complaints(&self) -> Vec<String> {
        let log = self.driver.get_log("browser").await.unwrap();
        log.into_iter()
            .filter(|entry| matches!(entry.level.as_str(), "SEVERE" | "WARNING"))
            .map(|entry| entry.message)
            .collect()
    }

    /// The window as a picture.
    pub async fn picture(&self, name: &str) {
        let workspace = Path::new(env!("CARGO_MANIFEST_DIR"));
        let workspace = workspace
            .ancestors()
            .find(|folder| folder.join("Cargo.lock").exists());
        let folder = workspace
            .expect("the workspace has a lockfile")
            .join("artefacts/screenshots");
        std::fs::create_dir_all(&folder).unwrap();
        self.driver
            .screenshot(&folder.join(format!("{name}.png")))
            .await
            .unwrap();
    }
}

/// A session as soon as chromedriver answers.
async fn connect(port: u16, capabilities: &ChromeCapabilities) -> WebDriver {
    // A process has one TLS provider. Nothing here speaks TLS, but the client insists when it is built for it.
    drop(rustls::crypto::ring::default_provider().install_default());
    let started = std::time::Instant::now();
    loop {
        match WebDriver::new(format!("http://127.0.0.1:{port}"), capabilities.clone()).await {
            Ok(driver) => return driver,
            Err(error) if started.elapsed() > PATIENCE => panic!("chromedriver: {error}"),
            Err(_) => tokio::time::sleep(GLANCE).await,
        }
    }
}
