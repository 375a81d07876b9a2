//! Names of fields whose values are never logged. The setters on the program's thread; asked on
//! callers' cold paths: when a callsite registers, for each record of one that has such a field,
//! and when a field is bound.

use std::fmt;
use std::sync::Arc;

use super::Config;
use crate::error::ConfigError;

/// What programs call their credentials, as [`plain`] has them.
const USUAL: [&str; 30] = [
    "accesskey",
    "accesstoken",
    "apikey",
    "apitoken",
    "authorization",
    "authtoken",
    "bearer",
    "clientsecret",
    "cookie",
    "credential",
    "credentials",
    "csrftoken",
    "idtoken",
    "jwt",
    "passphrase",
    "passwd",
    "password",
    "passwords",
    "privatekey",
    "proxyauthorization",
    "pwd",
    "refreshtoken",
    "secret",
    "secretkey",
    "secrets",
    "sessiontoken",
    "setcookie",
    "signingkey",
    "token",
    "xapikey",
];

/// The longest name, without `_` and `-`.
const NAME_BYTES_MAX: usize = 64;

/// Whether the engine masks passwords in addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum UrlPasswords {
    /// The `secret` of `scheme://<user>:secret@<host>` becomes `******`.
    Masked,
    /// Texts stay as they are.
    Shown,
}

/// The names whose values are hidden.
#[derive(Clone)]
pub(crate) struct Redaction {
    has_usual: bool,
    /// As the program gave them.
    names: Arc<Vec<String>>,
}

impl Default for Redaction {
    fn default() -> Redaction {
        Redaction { has_usual: true, names: Arc::default() }
    }
}

impl Redaction {
    fn add<N: AsRef<str>>(&mut self, names: impl IntoIterator<Item = N>) {
        let names = names.into_iter().map(|name| name.as_ref().to_owned());
        Arc::make_mut(&mut self.names).extend(names);
    }

    pub(super) fn check(&self) -> Result<(), ConfigError> {
        let mut room = [0; NAME_BYTES_MAX];
        let mut is_name = |name: &&String| plain(name, &mut room).is_none_or(<[u8]>::is_empty);
        match self.names.iter().find(&mut is_name) {
            None => Ok(()),
            Some(name) => Err(ConfigError::Value {
                option: "redact",
                value: name.clone(),
                allowed: format!("names of 1 to {NAME_BYTES_MAX} bytes besides `_` and `-`"),
            }),
        }
    }

    /// Whether the values of a field of this name are hidden.
    pub(crate) fn hides(&self, field: &str) -> bool {
        let bytes = field.as_bytes();
        let begins_word = |at: usize| match at.checked_sub(1).map(|before| bytes[before]) {
            None | Some(b'.' | b'_' | b'-' | b':') => true,
            Some(before) => before.is_ascii_lowercase() && bytes[at].is_ascii_uppercase(),
        };
        // Behind an ASCII byte a character begins.
        (0..bytes.len()).any(|at| begins_word(at) && self.has(&field[at..]))
    }

    fn has(&self, field: &str) -> bool {
        let (mut room, mut own_room) = ([0; NAME_BYTES_MAX], [0; NAME_BYTES_MAX]);
        let Some(field) = plain(field, &mut room) else { return false };
        self.has_usual && USUAL.iter().any(|name| name.as_bytes() == field)
            || self.names.iter().any(|name| plain(name, &mut own_room) == Some(field))
    }
}

impl fmt::Debug for Redaction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let usual = self.has_usual.then_some("the usual names");
        f.debug_list().entries(usual.into_iter().chain(self.names.iter().map(|n| &**n))).finish()
    }
}

/// What of a name counts, in `room`: `api_key`, `api-key`, `apiKey` and `APIKEY` are one. None if
/// that is longer than any name may be.
fn plain<'a>(name: &str, room: &'a mut [u8; NAME_BYTES_MAX]) -> Option<&'a [u8]> {
    let mut len = 0;
    for byte in name.bytes().filter(|byte| !matches!(byte, b'_' | b'-')) {
        *room.get_mut(len)? = byte.to_ascii_lowercase();
        len += 1;
    }
    Some(&room[..len])
}

impl Config {
    /// Hides the values of fields of these names, beside those that are hidden already: each
    /// travels as [`Redacted`](crate::Redacted) would, and shows as `"[redacted]"` in every format,
    /// in holes of the message too.
    ///
    /// The call copies nothing of such a value: it comes to no ring, arena, segment or log, and so
    /// is in none of them after a crash. What `?` and `%` ask for is not rendered. That holds for
    /// fields bound by [`Logger::with`](crate::Logger::with) as well. Calls without such a field
    /// cost what they cost before; one with such a field takes a longer path (some 200 ns).
    ///
    /// A name fits a field that is called so, or whose last words are; a word begins behind `.`,
    /// `_`, `-` and `:`, and with a capital behind a small letter. `password` hides `Password`,
    /// `db.password`, `user_password` and `dbPassword`, and neither `password_age` nor
    /// `mypassword`. The case of ASCII letters, `_` and `-` do not count: `api_key` is `apiKey`,
    /// `API-KEY` and `apikey`. 1 to 64 bytes besides `_` and `-`.
    ///
    /// Default: access_key, access_token, api_key, api_token, auth_token, authorization, bearer,
    /// client_secret, cookie, credential, credentials, csrf_token, id_token, jwt, passphrase,
    /// passwd, password, passwords, private_key, proxy_authorization, pwd, refresh_token, secret,
    /// secret_key, secrets, session_token, set_cookie, signing_key, token, x_api_key.
    /// [`redact_only`](Config::redact_only) takes them back.
    ///
    /// Each engine goes by its own names, [detached](crate::Engine::detached) ones too. Names
    /// inside a value (a struct's, rendered by `?`) and text in the message are not looked at.
    ///
    /// ```
    /// # use fastlog::Config;
    /// let config = Config::default().redact(["iban", "card.number"]);
    /// # drop(config);
    /// ```
    pub fn redact<N: AsRef<str>>(mut self, names: impl IntoIterator<Item = N>) -> Config {
        self.redaction.add(names);
        self
    }

    /// As [`redact`](Config::redact), in place of all names before, the usual ones too. With no
    /// name at all nothing is hidden but what the program gives as [`Redacted`](crate::Redacted):
    /// `redact_only([""; 0])`.
    pub fn redact_only<N: AsRef<str>>(mut self, names: impl IntoIterator<Item = N>) -> Config {
        self.redaction = Redaction { has_usual: false, names: Arc::default() };
        self.redaction.add(names);
        self
    }
}

impl Config {
    /// Whether passwords in addresses, `scheme://<user>:<password>@<host>`, are masked: in texts,
    /// rendered ones and elements of lists, so in holes of the message too, and in bound fields.
    ///
    /// Default: [`UrlPasswords::Masked`] with `Durable`, [`UrlPasswords::Shown`] with the others:
    /// the collector looks at each byte of each value, which costs it some 2 % a record. The
    /// password lies in the ring until the collector has read the record, and in the arena's file
    /// until its place is used again; no segment and no log has it, also none that is binary. As
    /// many `*` as it had bytes take its place. The text of the message itself, which is the
    /// program's, is not looked at, nor is an address that several values make together. The part
    /// up to `@` without a `:` is a name and stays.
    pub fn url_passwords(mut self, passwords: UrlPasswords) -> Config {
        self.url_passwords = passwords;
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_fits_whole_fields_and_last_words() {
        let redaction = Config::default().redact(["iban", "card.number"]).redaction;
        let hidden = [
            "password",
            "PassWord",
            "db.password",
            "a.b.API-Key",
            "apiKey",
            "api__key",
            "X-Api-Key",
            "Set-Cookie",
            "IBAN",
            "customer.iban",
            "card.number",
            "CARD.num_ber",
            "my.card.number",
            "db_password",
            "new-password",
            "dbPassword",
            "db::password",
            "x_auth_token",
            "aws_secret_access_key",
            "user_secrets",
            "\u{e9}_token",
        ];
        let shown = [
            "",
            "_",
            ".",
            "password.",
            "password_age",
            "password.age",
            "tokens",
            "number",
            "mypassword",
            "prompt_tokens",
            "DBPASSWORD",
            "iban2",
            "auth",
        ];
        assert!(hidden.iter().all(|name| redaction.hides(name)), "{hidden:?}");
        let found: Vec<_> = shown.iter().filter(|name| redaction.hides(name)).collect();
        assert_eq!(found, <[&&str; 0]>::default());
        let long = "x".repeat(NAME_BYTES_MAX + 1);
        assert!(!redaction.hides(&long) && redaction.hides(&format!("{long}.password")));
    }

    #[test]
    fn the_usual_names_are_plain_and_can_be_taken_back() {
        for name in USUAL {
            assert_eq!(plain(name, &mut [0; NAME_BYTES_MAX]), Some(name.as_bytes()));
            assert!(Redaction::default().hides(name));
        }
        let own = Config::default().redact(["a"]).redact_only(["b", "c"]).redact(["d"]).redaction;
        assert_eq!(
            ["a", "b", "c", "d", "password"].map(|name| own.hides(name)),
            [false, true, true, true, false]
        );
        assert!(!Config::default().redact_only([""; 0]).redaction.hides("password"));
    }

    #[test]
    fn a_name_that_fits_nothing_is_refused() {
        for name in ["", "_-", &"x".repeat(NAME_BYTES_MAX + 1)] {
            let error = Config::default().redact([name]).redaction.check().expect_err(name);
            assert!(error.to_string().contains("1 to 64 bytes"), "{error}");
        }
        assert!(Config::default().redact(["ok"]).redaction.check().is_ok());
    }
}
