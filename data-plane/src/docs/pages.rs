//! The pages, embedded.

/// A page.
pub(super) struct Page {
    /// The whole name of a page without a language, else its feature.
    pub(super) feature: &'static str,
    pub(super) language: Option<&'static str>,
    pub(super) content: &'static str,
}

impl Page {
    /// Its name among all pages.
    pub(super) fn name(&self) -> String {
        match self.language {
            None => self.feature.to_owned(),
            Some("rest-api") => format!("{}-rest-api", self.feature),
            Some(language) => format!("{}-sdk-{language}", self.feature),
        }
    }

    /// Name of its file.
    pub(super) fn filename(&self) -> String {
        format!("{}.md", self.name())
    }

    /// Where it is read.
    pub(super) fn endpoint(&self) -> String {
        match self.language {
            None => format!("/api/docs/{}", self.feature),
            Some(language) => format!("/api/docs/{}/{language}", self.feature),
        }
    }
}

macro_rules! whole {
    ($($name:literal = $file:literal),* $(,)?) => {
        [$(Page { feature: $name, language: None, content: include_str!(concat!("pages/", $file, ".md")) },)*]
    };
}

macro_rules! by_language {
    ($($feature:literal),* $(,)?) => {
        [$([
            Page { feature: $feature, language: Some("typescript"), content: include_str!(concat!("pages/", $feature, "-sdk-typescript.md")) },
            Page { feature: $feature, language: Some("swift"), content: include_str!(concat!("pages/", $feature, "-sdk-swift.md")) },
            Page { feature: $feature, language: Some("kotlin"), content: include_str!(concat!("pages/", $feature, "-sdk-kotlin.md")) },
            Page { feature: $feature, language: Some("rest-api"), content: include_str!(concat!("pages/", $feature, "-rest-api.md")) },
        ],)*]
    };
}

/// Pages that are not asked for by language.
static WHOLE: [Page; 9] = whole![
    "instructions" = "instructions",
    "db-sdk" = "db-sdk-typescript",
    "auth-sdk" = "auth-sdk-typescript",
    "storage-sdk" = "storage-sdk-typescript",
    "functions-sdk" = "functions-sdk-typescript",
    "ai-integration-sdk" = "ai-sdk-typescript",
    "real-time" = "realtime-sdk-typescript",
    "deployment" = "deployment",
    "payments" = "payments-sdk-typescript",
];

static BY_LANGUAGE: [[Page; 4]; 6] = by_language!["db", "storage", "functions", "auth", "ai", "realtime"];

static PAYMENTS: [Page; 1] = [Page {
    feature: "payments",
    language: Some("typescript"),
    content: include_str!("pages/payments-sdk-typescript.md"),
}];

/// All pages, in the order of the list.
pub(super) fn all() -> impl Iterator<Item = &'static Page> {
    WHOLE.iter().chain(BY_LANGUAGE.iter().flatten()).chain(&PAYMENTS)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_page_has_a_name_of_its_own_and_text() {
        let names: BTreeSet<String> = all().map(Page::name).collect();
        assert_eq!((names.len(), all().count()), (34, 34));
        assert!(names.contains("db-sdk-typescript") && names.contains("db-rest-api") && names.contains("payments"));
        for page in all() {
            assert!(page.content.starts_with("# ") && page.content.len() > 300, "{}", page.name());
        }
    }
}
