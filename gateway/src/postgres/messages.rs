//! Where the messages from a Postgres begin and end.

const HEADER: usize = 5;

/// Follows the messages that pass in one direction.
#[derive(Debug, Default)]
pub(super) struct Messages {
    header: [u8; HEADER],
    /// How much of the header is here.
    read: usize,
    /// How much of the body is still to come, once the header is whole.
    body: usize,
}

impl Messages {
    /// Notes what passes.
    pub(super) fn pass(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            if self.body > 0 {
                let passing = self.body.min(bytes.len());
                self.body -= passing;
                bytes = bytes.get(passing..).unwrap_or_default();
                continue;
            }
            let taken = (HEADER - self.read).min(bytes.len());
            let (head, rest) = bytes.split_at(taken);
            self.header[self.read..self.read + taken].copy_from_slice(head);
            self.read += taken;
            bytes = rest;
            if self.read == HEADER {
                let [_, length @ ..] = self.header;
                self.body = (u32::from_be_bytes(length) as usize).saturating_sub(4);
                self.read = 0;
            }
        }
    }

    /// Whether everything that began has ended, so that another message may be sent.
    pub(super) const fn between_two(&self) -> bool {
        self.read == 0 && self.body == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_of_a_message_is_known_however_it_is_cut_into_pieces() {
        let mut stream = Vec::new();
        let mut ends = vec![0];
        for length in [0_u32, 1, 7, 4_000] {
            stream.push(b'D');
            stream.extend((length + 4).to_be_bytes());
            stream.extend(vec![0xff; length as usize]);
            ends.push(stream.len());
        }
        for piece in [1, 2, 3, 5, 1_000, stream.len()] {
            let (mut messages, mut passed) = (Messages::default(), 0);
            for bytes in stream.chunks(piece) {
                messages.pass(bytes);
                passed += bytes.len();
                assert_eq!(messages.between_two(), ends.contains(&passed), "after {passed} in pieces of {piece}");
            }
        }
    }
}
