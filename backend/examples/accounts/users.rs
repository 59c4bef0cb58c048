//! The table of users, and the visits.

use std::{
    path::Path,
    sync::{Mutex, MutexGuard, PoisonError},
    time::SystemTime,
};

use argon2::{Argon2, PasswordHash, PasswordHasher, PasswordVerifier, password_hash::SaltString};
use countersign_shared::PhoneNumber;
use rusqlite::{Connection, OptionalExtension, Row, params};

const SCHEMA: &str = "
    CREATE TABLE IF NOT EXISTS user (
        id INTEGER PRIMARY KEY,
        phone_number TEXT NOT NULL UNIQUE,
        password_hash TEXT NOT NULL,
        is_phone_verified INTEGER NOT NULL DEFAULT 0,
        two_factor_enabled INTEGER NOT NULL DEFAULT 1,
        created_at TEXT NOT NULL,
        updated_at TEXT NOT NULL
    ) STRICT;
    CREATE TABLE IF NOT EXISTS visit (
        name TEXT PRIMARY KEY,
        user_id INTEGER NOT NULL REFERENCES user (id),
        nonce TEXT
    ) STRICT;
";

#[derive(Clone)]
pub(crate) struct User {
    id: i64,
    /// In E.164.
    pub(crate) phone_number: String,
    pub(crate) is_phone_verified: bool,
    pub(crate) two_factor_enabled: bool,
    pub(crate) created_at: String,
    password_hash: String,
}

impl User {
    /// Their id at Countersign.
    pub(crate) fn name(&self) -> String {
        format!("user-{}", self.id)
    }
}

/// The progress of a visitor.
#[derive(Clone)]
pub(crate) enum Step {
    /// The number must be verified, by a proof with this nonce.
    MustProve {
        nonce: String,
    },
    SignedIn,
}

impl Step {
    pub(crate) fn must_prove() -> Self {
        Self::MustProve {
            nonce: random_name(),
        }
    }
}

pub(crate) struct Users(Mutex<Connection>);

impl Users {
    pub(crate) fn open(path: &str) -> rusqlite::Result<Self> {
        if let Some(directory) = Path::new(path).parent() {
            std::fs::create_dir_all(directory).ok();
        }
        let connection = Connection::open(path)?;
        connection.execute_batch(SCHEMA)?;
        Ok(Self(Mutex::new(connection)))
    }

    fn table(&self) -> MutexGuard<'_, Connection> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds a user whose number is not verified yet. Until it is, anybody may replace the
    /// account: a number that was only claimed must not lock its owner out.
    pub(crate) fn sign_up(&self, number: &str, password: &str) -> Result<User, &'static str> {
        let number = PhoneNumber::parse(number)
            .map_err(|_| "Give the number with its country code, such as +14155550123.")?;
        if password.chars().count() < 8 {
            return Err("Choose a password of at least 8 characters.");
        }
        if self
            .by_number(number.as_str())
            .is_some_and(|user| user.is_phone_verified)
        {
            return Err("There is an account with this number. Log in instead.");
        }
        let salt = SaltString::encode_b64(&random_bytes()).expect("16 bytes are a salt");
        let hash = Argon2::default()
            .hash_password(password.as_bytes(), &salt)
            .map_err(|_| "Choose another password.")?
            .to_string();
        self.table()
            .execute(
                "INSERT INTO user (phone_number, password_hash, created_at, updated_at)
                 VALUES (?1, ?2, ?3, ?3)
                 ON CONFLICT (phone_number) DO UPDATE
                 SET password_hash = ?2, updated_at = ?3 WHERE NOT is_phone_verified",
                params![number.as_str(), hash, now()],
            )
            .map_err(|_| "That did not work. Try again.")?;
        self.by_number(number.as_str())
            .filter(|user| user.password_hash == hash)
            .ok_or("There is an account with this number. Log in instead.")
    }

    /// The user with that number and password.
    pub(crate) fn log_in(&self, number: &str, password: &str) -> Option<User> {
        let number = PhoneNumber::parse(number).ok()?;
        let user = self.by_number(number.as_str())?;
        let hash = PasswordHash::new(&user.password_hash).ok()?;
        Argon2::default()
            .verify_password(password.as_bytes(), &hash)
            .ok()?;
        Some(user)
    }

    fn by_number(&self, number: &str) -> Option<User> {
        self.table()
            .query_row("SELECT * FROM user WHERE phone_number = ?1", [number], read)
            .optional()
            .ok()?
    }

    pub(crate) fn set_verified(&self, user: &User) {
        self.change(user, "is_phone_verified = 1");
    }

    pub(crate) fn set_two_factor(&self, user: &User, enabled: bool) {
        self.change(
            user,
            &format!("two_factor_enabled = {}", i32::from(enabled)),
        );
    }

    fn change(&self, user: &User, change: &str) {
        let change = format!("UPDATE user SET {change}, updated_at = ?2 WHERE id = ?1");
        self.table().execute(&change, params![user.id, now()]).ok();
    }

    /// Starts a visit; its name is the browser's only secret.
    pub(crate) fn begin(&self, user: &User, step: &Step) -> String {
        let name = random_name();
        let nonce = match step {
            Step::MustProve { nonce } => Some(nonce),
            Step::SignedIn => None,
        };
        self.table()
            .execute(
                "INSERT INTO visit VALUES (?1, ?2, ?3)",
                params![name, user.id, nonce],
            )
            .ok();
        name
    }

    pub(crate) fn visitor(&self, name: &str) -> Option<(User, Step)> {
        let table = self.table();
        let (id, nonce): (i64, Option<String>) = table
            .query_row(
                "SELECT user_id, nonce FROM visit WHERE name = ?1",
                [name],
                |row| Ok((row.get(0)?, row.get(1)?)),
            )
            .optional()
            .ok()??;
        let user = table.query_row("SELECT * FROM user WHERE id = ?1", [id], read);
        let step = nonce.map_or(Step::SignedIn, |nonce| Step::MustProve { nonce });
        Some((user.ok()?, step))
    }

    pub(crate) fn end(&self, name: &str) {
        self.table()
            .execute("DELETE FROM visit WHERE name = ?1", [name])
            .ok();
    }
}

fn read(row: &Row<'_>) -> rusqlite::Result<User> {
    Ok(User {
        id: row.get("id")?,
        phone_number: row.get("phone_number")?,
        password_hash: row.get("password_hash")?,
        is_phone_verified: row.get("is_phone_verified")?,
        two_factor_enabled: row.get("two_factor_enabled")?,
        created_at: row.get("created_at")?,
    })
}

fn now() -> String {
    humantime::format_rfc3339_seconds(SystemTime::now()).to_string()
}

fn random_bytes() -> [u8; 16] {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).expect("the operating system gives random bytes");
    bytes
}

fn random_name() -> String {
    random_bytes()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}
