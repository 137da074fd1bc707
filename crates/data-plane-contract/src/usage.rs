//! Usage records: append-only, numbered without gaps per source, so that replay is harmless and a loss is visible.

use chrono::{DateTime, Utc};
use ids::ProjectId;
use serde::{Deserialize, Serialize};

/// What is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Metric {
    /// Size of the project's database. Peak.
    DatabaseBytes,
    /// Size of the project's stored objects. Peak.
    StorageBytes,
    /// Bytes of response sent to clients through the gateway. Cumulative.
    EgressBytes,
    /// Requests answered through the gateway. Cumulative.
    Requests,
    /// Edge function invocations. Cumulative.
    FunctionCalls,
    /// Seconds the project's processes were up. Cumulative.
    ComputeSeconds,
    /// E-mails sent. Cumulative.
    EmailRequests,
    /// Tokens of language models, in and out. Cumulative.
    AiTokens,
    /// Millionths of a credit spent on language models. Cumulative.
    AiCredits,
    /// Tool calls through MCP. Cumulative.
    McpCalls,
    /// Users who were not signed in earlier in their calendar month. Cumulative.
    MonthlyActiveUsers,
}

impl Metric {
    /// All metrics.
    pub const ALL: &'static [Self] = &[
        Self::DatabaseBytes,
        Self::StorageBytes,
        Self::EgressBytes,
        Self::Requests,
        Self::FunctionCalls,
        Self::ComputeSeconds,
        Self::EmailRequests,
        Self::AiTokens,
        Self::AiCredits,
        Self::McpCalls,
        Self::MonthlyActiveUsers,
    ];

    /// The recorded name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::DatabaseBytes => "database_bytes",
            Self::StorageBytes => "storage_bytes",
            Self::EgressBytes => "egress_bytes",
            Self::Requests => "requests",
            Self::FunctionCalls => "function_calls",
            Self::ComputeSeconds => "compute_seconds",
            Self::EmailRequests => "email_requests",
            Self::AiTokens => "ai_tokens",
            Self::AiCredits => "ai_credits",
            Self::McpCalls => "mcp_calls",
            Self::MonthlyActiveUsers => "monthly_active_users",
        }
    }

    /// Peak metrics roll up as the maximum over a day, the others as the sum.
    #[must_use]
    pub const fn peak(self) -> bool {
        matches!(self, Self::DatabaseBytes | Self::StorageBytes)
    }
}

/// One measurement over `[from, to)`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct UsageRecord {
    /// Whose usage.
    pub project_id: ProjectId,
    /// What was measured.
    pub metric: Metric,
    /// Of compute: which instance ran.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instance_type: Option<String>,
    /// Start of the window.
    pub from: DateTime<Utc>,
    /// End of the window.
    pub to: DateTime<Utc>,
    /// Bytes, seconds or count; never negative.
    pub amount: i64,
    /// 1, 2, 3 … per source.
    pub sequence: i64,
}

/// `POST {control plane}/internal/v1/usage-records`: records of one source in sequence order; those already known are ignored.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct UsageBatch {
    /// Who measured, for example `gateway:<id>` or `data-plane:<project id>`.
    pub source: String,
    /// The records.
    pub records: Vec<UsageRecord>,
}

/// Everything up to this sequence is stored; a source may forget it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct UsageAccepted {
    /// Newest stored sequence of the source; 0 when none.
    pub sequence: i64,
}
