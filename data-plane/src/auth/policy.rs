//! The auth policy: one row of `auth.config`, defaults where there is none.

use chrono::{DateTime, Utc};
use deadpool_postgres::ClientWrapper;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::http::{Error, Result};

const SPECIAL: &str = "!@#$%^&*()_+-=[]{};\\|,.<>/?";

/// How users sign up and in.
pub(super) struct Policy {
    id: Uuid,
    pub(super) require_email_verification: bool,
    password_min_length: i32,
    require_number: bool,
    require_lowercase: bool,
    require_uppercase: bool,
    require_special_char: bool,
    pub(super) verify_email_method: String,
    pub(super) reset_password_method: String,
    pub(super) allowed_redirect_urls: Option<Vec<String>>,
    pub(super) disable_signup: bool,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
}

impl Policy {
    /// The policy in force.
    pub(super) async fn read(client: &ClientWrapper, now: DateTime<Utc>) -> Result<Self> {
        let statement = client
            .prepare_cached(
                "select id, require_email_verification, password_min_length, require_number, require_lowercase,
                    require_uppercase, require_special_char, verify_email_method, reset_password_method,
                    allowed_redirect_urls, disable_signup, created_at, updated_at
                 from auth.config limit 1",
            )
            .await?;
        let Some(row) = client.query_opt(&statement, &[]).await? else {
            return Ok(Self::default_at(now));
        };
        Ok(Self {
            id: row.get(0),
            require_email_verification: row.get(1),
            password_min_length: row.get(2),
            require_number: row.get(3),
            require_lowercase: row.get(4),
            require_uppercase: row.get(5),
            require_special_char: row.get(6),
            verify_email_method: row.get(7),
            reset_password_method: row.get(8),
            allowed_redirect_urls: row.get(9),
            disable_signup: row.get(10),
            created_at: row.get::<_, Option<_>>(11).unwrap_or(now),
            updated_at: row.get::<_, Option<_>>(12).unwrap_or(now),
        })
    }

    fn default_at(now: DateTime<Utc>) -> Self {
        Self {
            id: Uuid::nil(),
            require_email_verification: false,
            password_min_length: 6,
            require_number: false,
            require_lowercase: false,
            require_uppercase: false,
            require_special_char: false,
            verify_email_method: "code".to_owned(),
            reset_password_method: "code".to_owned(),
            allowed_redirect_urls: Some(Vec::new()),
            disable_signup: false,
            created_at: now,
            updated_at: now,
        }
    }

    /// Refuses a password that the policy does not allow.
    pub(super) fn check_password(&self, password: &str) -> Result<()> {
        let long_enough = password.encode_utf16().count() >= usize::try_from(self.password_min_length).unwrap_or(0);
        let has = |test: fn(char) -> bool| password.chars().any(test);
        let fine = long_enough
            && (!self.require_number || has(|c| c.is_ascii_digit()))
            && (!self.require_lowercase || has(|c| c.is_ascii_lowercase()))
            && (!self.require_uppercase || has(|c| c.is_ascii_uppercase()))
            && (!self.require_special_char || has(|c| SPECIAL.contains(c)));
        if fine {
            return Ok(());
        }
        let mut message = format!("Password must contain at least {} characters long", self.password_min_length);
        for (required, text) in [
            (self.require_number, "number"),
            (self.require_lowercase, "lowercase letter"),
            (self.require_uppercase, "uppercase letter"),
            (self.require_special_char, "special character"),
        ] {
            if required {
                message.push_str(", at least one ");
                message.push_str(text);
            }
        }
        Err(Error::invalid_input(message))
    }

    /// What everybody may know.
    pub(super) fn public_json(&self) -> Value {
        json!({
            "requireEmailVerification": self.require_email_verification,
            "passwordMinLength": self.password_min_length,
            "requireNumber": self.require_number,
            "requireLowercase": self.require_lowercase,
            "requireUppercase": self.require_uppercase,
            "requireSpecialChar": self.require_special_char,
            "verifyEmailMethod": self.verify_email_method,
            "resetPasswordMethod": self.reset_password_method,
            "disableSignup": self.disable_signup,
        })
    }

    /// What administrators see.
    pub(super) fn json(&self) -> Value {
        json!({
            "id": self.id,
            "requireEmailVerification": self.require_email_verification,
            "passwordMinLength": self.password_min_length,
            "requireNumber": self.require_number,
            "requireLowercase": self.require_lowercase,
            "requireUppercase": self.require_uppercase,
            "requireSpecialChar": self.require_special_char,
            "verifyEmailMethod": self.verify_email_method,
            "resetPasswordMethod": self.reset_password_method,
            "allowedRedirectUrls": self.allowed_redirect_urls,
            "disableSignup": self.disable_signup,
            "createdAt": clock::iso_millis(self.created_at),
            "updatedAt": clock::iso_millis(self.updated_at),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_refusal_names_every_rule() {
        let policy = Policy { require_number: true, require_special_char: true, ..Policy::default_at(Utc::now()) };
        assert!(policy.check_password("abc1!x").is_ok());
        for bad in ["a1!", "abcdef", "abcdef1"] {
            let error = policy.check_password(bad).expect_err(bad);
            assert_eq!(
                error.message(),
                "Password must contain at least 6 characters long, at least one number, at least one special character"
            );
        }
    }
}
