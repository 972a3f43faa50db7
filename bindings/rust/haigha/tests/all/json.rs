//! Enough of JSON for the conformance files.

use std::collections::BTreeMap;

#[derive(Clone, Debug, PartialEq)]
pub enum Json {
    Null,
    Bool(bool),
    Number(String),
    Text(String),
    Array(Vec<Json>),
    Object(BTreeMap<String, Json>),
}

impl Json {
    pub fn parse(text: &str) -> Json {
        let mut reader = Reader { text: text.as_bytes(), at: 0 };
        let value = reader.value();
        assert_eq!(reader.peek(), None, "something is behind the value");
        value
    }

    pub fn at(&self, name: &str) -> &Json {
        match self {
            Json::Object(members) => members.get(name).unwrap_or(&Json::Null),
            _ => panic!("{self:?} has no {name}"),
        }
    }

    pub fn text(&self) -> &str {
        match self {
            Json::Text(text) | Json::Number(text) => text,
            _ => panic!("{self:?} is no text"),
        }
    }

    /// Also where it is written as text, as large ones are.
    pub fn number<N: std::str::FromStr>(&self) -> N {
        self.text().parse().unwrap_or_else(|_| panic!("{self:?} is no such number"))
    }

    pub fn items(&self) -> &[Json] {
        match self {
            Json::Array(items) => items,
            Json::Null => &[],
            _ => panic!("{self:?} is no array"),
        }
    }
}

struct Reader<'a> {
    text: &'a [u8],
    at: usize,
}

impl Reader<'_> {
    /// The next octet that is not space.
    fn peek(&mut self) -> Option<u8> {
        while self.text.get(self.at).map_or(false, u8::is_ascii_whitespace) {
            self.at += 1;
        }
        self.text.get(self.at).copied()
    }

    fn expect(&mut self, octet: u8) {
        assert_eq!(self.peek(), Some(octet), "at octet {}", self.at);
        self.at += 1;
    }

    /// Whether there is one more of what `end` ends.
    fn more(&mut self, first: bool, end: u8) -> bool {
        if self.peek() == Some(end) {
            self.at += 1;
            return false;
        }
        if !first {
            self.expect(b',');
        }
        true
    }

    fn value(&mut self) -> Json {
        match self.peek().expect("a value") {
            b'{' => {
                self.at += 1;
                let mut members = BTreeMap::new();
                while self.more(members.is_empty(), b'}') {
                    self.peek();
                    let name = self.string();
                    self.expect(b':');
                    members.insert(name, self.value());
                }
                Json::Object(members)
            }
            b'[' => {
                self.at += 1;
                let mut items = Vec::new();
                while self.more(items.is_empty(), b']') {
                    items.push(self.value());
                }
                Json::Array(items)
            }
            b'"' => Json::Text(self.string()),
            _ => {
                let start = self.at;
                while self.text.get(self.at).map_or(false, |octet| {
                    octet.is_ascii_alphanumeric() || matches!(octet, b'-' | b'+' | b'.')
                }) {
                    self.at += 1;
                }
                match std::str::from_utf8(&self.text[start..self.at]).unwrap() {
                    "null" => Json::Null,
                    "true" => Json::Bool(true),
                    "false" => Json::Bool(false),
                    number => Json::Number(number.to_owned()),
                }
            }
        }
    }

    fn string(&mut self) -> String {
        self.expect(b'"');
        let mut units: Vec<u16> = Vec::new();
        let mut octets = Vec::new();
        let flush = |units: &mut Vec<u16>, octets: &mut Vec<u8>| {
            octets.extend(String::from_utf16(units).unwrap().into_bytes());
            units.clear();
        };
        loop {
            let octet = self.text[self.at];
            self.at += 1;
            if octet != b'\\' {
                flush(&mut units, &mut octets);
                if octet == b'"' {
                    return String::from_utf8(octets).unwrap();
                }
                octets.push(octet);
                continue;
            }
            let escaped = self.text[self.at];
            self.at += 1;
            if escaped == b'u' {
                let digits = std::str::from_utf8(&self.text[self.at..self.at + 4]).unwrap();
                units.push(u16::from_str_radix(digits, 16).unwrap());
                self.at += 4;
                continue;
            }
            flush(&mut units, &mut octets);
            octets.push(match escaped {
                b'n' => b'\n',
                b't' => b'\t',
                other => other,
            });
        }
    }
}
