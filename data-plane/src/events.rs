//! Events for dashboards: something an administrator looks at changed.

use serde::Serialize;
use tokio::sync::broadcast;

/// What changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Resource {
    /// Tables, functions, policies or rows.
    Database,
    /// End users.
    Users,
    /// Buckets or objects.
    Buckets,
    /// Edge functions.
    Functions,
}

/// One event as dashboards receive it.
#[derive(Clone, Debug, Serialize)]
#[serde(tag = "type", rename_all = "kebab-case")]
pub enum Event {
    /// Data behind a page changed.
    DataUpdate {
        /// Which page.
        resource: Resource,
        /// Details; absent when there are none.
        #[serde(skip_serializing_if = "Option::is_none")]
        data: Option<serde_json::Value>,
    },
    /// A tool was called through MCP.
    McpConnected {
        /// The tool.
        #[serde(rename = "toolName")]
        tool_name: String,
        /// When, ISO-8601.
        #[serde(rename = "createdAt")]
        created_at: String,
    },
}

/// Where events are published; slow readers lose the oldest.
#[derive(Clone, Debug)]
pub struct Events(broadcast::Sender<Event>);

impl Default for Events {
    fn default() -> Self {
        Self(broadcast::Sender::new(64))
    }
}

impl Events {
    /// Tells whoever listens.
    pub fn publish(&self, event: Event) {
        let _nobody_listens = self.0.send(event);
    }

    /// Whether anybody listens, so that what nobody hears need not be put into words.
    #[must_use]
    pub fn heard(&self) -> bool {
        self.0.receiver_count() > 0
    }

    /// Tells that `resource` changed.
    pub fn changed(&self, resource: Resource, data: Option<serde_json::Value>) {
        self.publish(Event::DataUpdate { resource, data });
    }

    /// Events from now on.
    #[must_use]
    pub fn subscribe(&self) -> broadcast::Receiver<Event> {
        self.0.subscribe()
    }
}
