//! Where the frames of a WebSocket begin and end (RFC 6455 §5.2), and the frame that ends it.

/// The close code of an endpoint that goes away.
pub(super) const GOING_AWAY: u16 = 1001;
/// The close code of a service that cannot go on now.
pub(super) const TRY_AGAIN_LATER: u16 = 1013;

const CLOSE: u8 = 0x88;
/// A control frame's payload has at most 125 bytes, of which the code takes two.
const REASON_BYTES: usize = 123;
const LONGEST_HEADER: usize = 14;

/// Follows the frames that pass in one direction.
#[derive(Debug, Default)]
pub(super) struct Frames {
    header: [u8; LONGEST_HEADER],
    /// How much of the header is here.
    read: usize,
    /// How much of the payload is still to come, once the header is whole.
    payload: u64,
}

impl Frames {
    /// Notes what passes.
    pub(super) fn pass(&mut self, mut bytes: &[u8]) {
        while let Some((&first, rest)) = bytes.split_first() {
            if self.payload > 0 {
                let passing = usize::try_from(self.payload).map_or(bytes.len(), |payload| payload.min(bytes.len()));
                self.payload -= passing as u64;
                bytes = bytes.get(passing..).unwrap_or_default();
                continue;
            }
            self.header[self.read] = first;
            self.read += 1;
            bytes = rest;
            if self.read >= 2 && self.read == self.header_length() {
                self.payload = self.payload_length();
                self.read = 0;
            }
        }
    }

    /// Whether everything that began has ended, so that another frame may be sent.
    pub(super) const fn between_two(&self) -> bool {
        self.read == 0 && self.payload == 0
    }

    fn header_length(&self) -> usize {
        let length = match self.header[1] & 0x7f {
            126 => 4,
            127 => 10,
            _ => 2,
        };
        if self.header[1] & 0x80 == 0 { length } else { length + 4 }
    }

    fn payload_length(&self) -> u64 {
        let [_, short, rest @ ..] = &self.header;
        match short & 0x7f {
            126 => u64::from(u16::from_be_bytes([rest[0], rest[1]])),
            127 => u64::from_be_bytes(std::array::from_fn(|place| rest[place])),
            short => u64::from(short),
        }
    }
}

/// A close frame, as a server sends it; a reason that is too long is cut.
pub(super) fn close(code: u16, reason: &str) -> Vec<u8> {
    let reason = &reason[..reason.floor_char_boundary(REASON_BYTES)];
    let length = u8::try_from(2 + reason.len()).expect("it was cut");
    let mut frame = vec![CLOSE, length];
    frame.extend(code.to_be_bytes());
    frame.extend(reason.as_bytes());
    frame
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_of_a_frame_is_known_however_it_is_cut_into_pieces() {
        let mut stream = Vec::new();
        let mut ends = vec![0];
        for (masked, length) in [(0, 0_usize), (0, 1), (0x80, 5), (0, 125), (0, 126), (0x80, 65_535), (0, 65_536)] {
            stream.push(0x82);
            match length {
                0..=125 => stream.push(masked | u8::try_from(length).expect("small")),
                126..=65_535 => {
                    stream.push(masked | 126);
                    stream.extend(u16::try_from(length).expect("small").to_be_bytes());
                }
                _ => {
                    stream.push(masked | 127);
                    stream.extend((length as u64).to_be_bytes());
                }
            }
            stream.extend(if masked == 0 { &[][..] } else { &[1, 2, 3, 4] });
            stream.extend(vec![0xff; length]);
            ends.push(stream.len());
        }
        for piece in [1, 2, 3, 7, 1000, stream.len()] {
            let (mut frames, mut passed) = (Frames::default(), 0);
            for bytes in stream.chunks(piece) {
                frames.pass(bytes);
                passed += bytes.len();
                assert_eq!(frames.between_two(), ends.contains(&passed), "after {passed} in pieces of {piece}");
            }
        }
    }

    #[test]
    fn a_reason_is_cut_between_characters() {
        let frame = close(TRY_AGAIN_LATER, &"\u{20ac}".repeat(100));
        assert_eq!((frame.len(), frame[1]), (4 + 123, 125));
        assert_eq!(close(GOING_AWAY, ""), [0x88, 2, 3, 0xe9]);
    }
}
