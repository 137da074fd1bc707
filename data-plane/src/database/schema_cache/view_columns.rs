//! Which table column each view column shows, read from the view's stored parse tree.
//!
//! Only the outermost target list counts; Postgres has already traced its entries through sub-selects to a table or another view.

/// A view column and where it comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Origin {
    /// Attribute number in the view.
    pub(super) number: i16,
    /// Relation it comes from.
    pub(super) relation: i64,
    /// Attribute number there.
    pub(super) column: i16,
}

/// Depth of the entries of the outermost target list: inside the query's and the entry's own braces.
const ENTRY_DEPTH: usize = 2;

/// Reads the origins out of `pg_rewrite.ev_action`; columns that are expressions have none.
pub(super) fn origins(tree: &str) -> Vec<Origin> {
    let mut found = Vec::new();
    let mut depth = 0_usize;
    let mut in_entry = false;
    let mut fields = [0_i64; 3];
    for word in (Words { text: tree, at: 0 }) {
        match word {
            Word::Open(name) => {
                depth += 1;
                if depth == ENTRY_DEPTH {
                    in_entry = name == "TARGETENTRY";
                    fields = [0; 3];
                }
            }
            Word::Close => {
                if depth == ENTRY_DEPTH && in_entry {
                    found.extend(origin(fields));
                    in_entry = false;
                }
                depth = depth.saturating_sub(1);
            }
            Word::Field(name, value) if depth == ENTRY_DEPTH && in_entry => {
                let slot = match name {
                    "resno" => 0,
                    "resorigtbl" => 1,
                    "resorigcol" => 2,
                    _ => continue,
                };
                fields[slot] = value.parse().unwrap_or_default();
            }
            Word::Field(..) => {}
        }
    }
    found
}

fn origin([number, relation, column]: [i64; 3]) -> Option<Origin> {
    if number == 0 || relation == 0 || column <= 0 {
        return None;
    }
    Some(Origin { number: i16::try_from(number).ok()?, relation, column: i16::try_from(column).ok()? })
}

enum Word<'a> {
    Open(&'a str),
    Close,
    Field(&'a str, &'a str),
}

struct Words<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Words<'a> {
    fn token(&mut self) -> &'a str {
        let bytes = self.text.as_bytes();
        let start = self.at;
        while self.at < bytes.len() && !matches!(bytes[self.at], b' ' | b'\n' | b'{' | b'}' | b'(' | b')') {
            // A backslash takes the next byte's meaning away; names with braces or blanks are written that way.
            self.at += if bytes[self.at] == b'\\' { 2 } else { 1 };
        }
        self.at = self.at.min(bytes.len());
        self.text.get(start..self.at).unwrap_or_default()
    }
}

impl<'a> Iterator for Words<'a> {
    type Item = Word<'a>;

    fn next(&mut self) -> Option<Word<'a>> {
        let bytes = self.text.as_bytes();
        while self.at < bytes.len() {
            match bytes[self.at] {
                b'{' => {
                    self.at += 1;
                    return Some(Word::Open(self.token()));
                }
                b'}' => {
                    self.at += 1;
                    return Some(Word::Close);
                }
                b':' => {
                    self.at += 1;
                    let name = self.token();
                    while bytes.get(self.at) == Some(&b' ') {
                        self.at += 1;
                    }
                    return Some(Word::Field(name, self.peeked()));
                }
                b' ' | b'\n' | b'(' | b')' => self.at += 1,
                _ => {
                    self.token();
                }
            }
        }
        None
    }
}

impl<'a> Words<'a> {
    /// The value after a field name, read again later when it opens a node.
    fn peeked(&mut self) -> &'a str {
        let before = self.at;
        let value = self.token();
        if value.is_empty() {
            self.at = before;
        }
        value
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_outer_target_list_counts() {
        let tree = "({QUERY :commandType 1 :rtable ({RTE :subquery {QUERY :targetList ({TARGETENTRY :expr {VAR :varno 1} :resno 1 :resname in\\ ner :resorigtbl 7 :resorigcol 9})}}) \
                    :targetList ({TARGETENTRY :expr {VAR :varno 2 :resno 5} :resno 1 :resname id :ressortgroupref 0 :resorigtbl 16400 :resorigcol 3 :resjunk false} \
                    {TARGETENTRY :expr {FUNCEXPR :args ({CONST :constvalue 4 [ 1 2 ]})} :resno 2 :resname x\\}y :resorigtbl 0 :resorigcol 0 :resjunk false})})";
        assert_eq!(origins(tree), [Origin { number: 1, relation: 16400, column: 3 }]);
    }
}
