//! Tokens that are good, and tokens that are not, for one issuer and one key: every way of lying that the author of a
//! verifier may have forgotten (RFC 8725, OWASP ASVS V9).
//!
//! Built by hand and independent of the verifier. Each forged token differs from a good one in the one thing that its
//! name says, and is signed with the issuer's own key wherever the name says nothing about the signature: so a rule that
//! is missing shows.

use data_encoding::{BASE64, BASE64URL, BASE64URL_NOPAD};
use serde_json::{Value, json};

use super::token_key::{TokenKey, mac};

/// A name for messages, and a token's text. Some texts cannot stand in a header field, or are longer than one may be:
/// that they cannot be sent is as good as a refusal.
pub type Named = (String, String);

/// Makes tokens of one issuer.
#[derive(Debug)]
pub struct Forger<'a> {
    /// The issuer's key.
    pub key: &'a TokenKey,
    /// The key's name, if it has one.
    pub kid: Option<&'a str>,
    /// Good claims: `iss`, `sub`, `aud` (a text) and `exp` at least.
    pub claims: Value,
    /// The time, in seconds since 1970.
    pub now: u64,
}

impl Forger<'_> {
    /// The header of a good token.
    #[must_use]
    pub fn header(&self) -> Value {
        let mut header = json!({"alg": self.key.alg(), "typ": "JWT"});
        if let Some(kid) = self.kid {
            header["kid"] = json!(kid);
        }
        header
    }

    /// A token of these parts, signed with the issuer's key.
    #[must_use]
    pub fn token(&self, header: &Value, claims: &Value) -> String {
        self.raw(header.to_string().as_bytes(), claims.to_string().as_bytes())
    }

    /// A good token with some claims changed; `null` takes one out.
    #[must_use]
    pub fn with_claims(&self, changes: &Value) -> String {
        self.token(&self.header(), &changed(&self.claims, changes))
    }

    /// A good token with its header changed; `null` takes a member out.
    #[must_use]
    pub fn with_header(&self, changes: &Value) -> String {
        self.token(&changed(&self.header(), changes), &self.claims)
    }

    fn raw(&self, header: &[u8], claims: &[u8]) -> String {
        signed_by(header, claims, |bytes| self.key.sign(bytes))
    }

    fn good(&self) -> String {
        self.token(&self.header(), &self.claims)
    }

    /// Tokens that are good, each near to some that are not.
    #[must_use]
    pub fn twins(&self) -> Vec<Named> {
        let (now, aud) = (self.now, &self.claims["aud"]);
        let mut twins = vec![("as it is".to_owned(), self.good())];
        for (name, changes) in [
            ("aud is a list", json!({"aud": ["https://elsewhere.example", aud]})),
            ("exp in half a minute", json!({"exp": now + 30})),
            ("nbf now", json!({"nbf": now})),
            ("iat half a minute ahead", json!({"iat": now + 30})),
            ("a claim that nobody knows", json!({"scope": "a b", "nested": {"a": [1.5, null]}})),
            ("a claim that names a tenant", json!({"tenant": "other", "tid": "other", "org_id": "other"})),
            ("no rights", json!({"tidings": {}})),
            ("a tenant among the rights", json!({"tidings": {"tenant": "other", "subscribe": ["a:*"]}})),
            ("a role", json!({"tidings": {"role": "member"}})),
            ("the longest subject", json!({"sub": "s".repeat(200)})),
        ] {
            twins.push((name.to_owned(), self.with_claims(&changes)));
        }
        for (name, changes) in [
            ("typ in capitals", json!({"typ": "AT+JWT"})),
            ("no typ", json!({"typ": null})),
            ("a certificate's hash", json!({"x5t": "AAAA"})),
        ] {
            twins.push((name.to_owned(), self.with_header(&changes)));
        }
        twins
    }

    /// Tokens that no verifier may accept: more than 100.
    #[must_use]
    pub fn forged(&self) -> Vec<Named> {
        let mut all = self.other_algorithms();
        all.extend(self.own_keys());
        all.extend(self.strange_headers());
        all.extend(self.broken_signatures());
        all.extend(self.broken_texts());
        all.extend(self.doubled());
        all.extend(self.wrong_times());
        all.extend(self.wrong_claims());
        all.extend(self.wrong_rights());
        all
    }

    /// `alg` says what it should not; unsigned, and signed all the same.
    fn other_algorithms(&self) -> Vec<Named> {
        let mut all = Vec::new();
        let others = [
            "none", "None", "NONE", "nOnE", "", "HS256", "HS384", "HS512", "RS256", "RS384", "RS512",
            "PS256", "ES256", "ES256K", "ES384", "ES512", "EdDSA", "Ed25519", "hs256", "rs256", "es256",
            "eddsa", "RSA-OAEP", "dir",
        ];
        for alg in others.into_iter().filter(|alg| *alg != self.key.alg()) {
            let token = self.with_header(&json!({"alg": alg}));
            all.push((format!("alg {alg:?} without signature"), without_signature(&token)));
            all.push((format!("alg {alg:?} signed as before"), token));
        }
        for (name, alg) in [
            ("a list", json!([self.key.alg()])),
            ("a number", json!(256)),
            ("true", json!(true)),
            ("an object", json!({"name": self.key.alg()})),
            ("missing", Value::Null),
            ("with a space", json!(format!("{} ", self.key.alg()))),
            ("with a NUL", json!(format!("{}\0", self.key.alg()))),
        ] {
            all.push((format!("alg is {name}"), self.with_header(&json!({"alg": alg}))));
        }
        let null = self.good_header_text().replacen(&format!("{:?}", self.key.alg()), "null", 1);
        all.push(("alg is null".to_owned(), self.raw(null.as_bytes(), self.claims_text().as_bytes())));
        all
    }

    /// Signed with something that the forger has: what is public, what can be guessed, what the token brings along.
    fn own_keys(&self) -> Vec<Named> {
        let mut all = Vec::new();
        let header = changed(&self.header(), &json!({"alg": "HS256"})).to_string();
        let mut mac_with = |name: &str, secret: &[u8]| {
            let token =
                signed_by(header.as_bytes(), self.claims_text().as_bytes(), |bytes| mac(secret, bytes));
            all.push((format!("HS256 with {name}"), token));
        };
        if let (Some(pem), Some(der)) = (self.key.public_pem(), self.key.public_der()) {
            mac_with("the public key's PEM", pem.as_bytes());
            mac_with("the public key's PEM without its last line feed", pem.trim_end().as_bytes());
            mac_with("the public key's PEM with CRLF", pem.replace('\n', "\r\n").as_bytes());
            mac_with("the public key's DER", &der);
            mac_with("the public key's base64", BASE64.encode(&der).as_bytes());
            mac_with("the public key as JWK", self.key.jwk().to_string().as_bytes());
        }
        for secret in ["", "secret", "password", "changeme", "your-256-bit-secret", "\0", "null", "undefined"]
        {
            mac_with(&format!("the secret {secret:?}"), secret.as_bytes());
        }
        mac_with("the key's name", self.kid.unwrap_or("kid").as_bytes());
        mac_with("the issuer as secret", self.claims["iss"].as_str().unwrap_or_default().as_bytes());

        let stranger = self.key.stranger();
        let by_stranger = |changes: &Value| {
            let header = changed(&self.header(), changes).to_string();
            signed_by(header.as_bytes(), self.claims_text().as_bytes(), |bytes| stranger.sign(bytes))
        };
        let url = "https://attacker.example/keys";
        for (name, changes) in [
            ("a stranger's key", json!({})),
            ("a stranger's key, of which it says no name", json!({"kid": null})),
            ("a stranger's key, which it brings", json!({"jwk": stranger.jwk()})),
            ("a stranger's key, which it names a place for", json!({"jku": url})),
            ("a stranger's key, with a certificate", json!({"x5c": ["AAAA"], "x5u": url})),
            ("a stranger's key, with another name", json!({"kid": "attacker"})),
        ] {
            all.push((format!("signed by {name}"), by_stranger(&changes)));
        }
        all
    }

    /// Headers that ask for more than a header may, over a good signature.
    fn strange_headers(&self) -> Vec<Named> {
        let url = "https://attacker.example/keys";
        let table = [
            ("brings the right key", json!({"jwk": self.key.stranger().jwk()})),
            ("names a place for keys", json!({"jku": url})),
            ("names a place for certificates", json!({"x5u": url})),
            ("brings certificates", json!({"x5c": ["AAAA"]})),
            ("unknown crit", json!({"crit": ["exp"], "exp": 1})),
            ("empty crit", json!({"crit": []})),
            ("crit that names what is there", json!({"crit": ["alg"]})),
            ("b64 false", json!({"b64": false})),
            ("b64 false and critical", json!({"b64": false, "crit": ["b64"]})),
            ("encrypted", json!({"enc": "A128GCM"})),
            ("compressed", json!({"zip": "DEF"})),
            ("typ of a security event", json!({"typ": "secevent+jwt"})),
            ("typ of a logout", json!({"typ": "logout+jwt"})),
            ("typ of a proof", json!({"typ": "dpop+jwt"})),
            ("typ of an ID token", json!({"typ": "id_token"})),
            ("typ is a number", json!({"typ": 1})),
            ("typ is empty", json!({"typ": ""})),
            ("kid is empty", json!({"kid": ""})),
            ("kid is a number", json!({"kid": 1})),
            ("kid is a list", json!({"kid": [self.kid.unwrap_or("a")]})),
            ("kid of 1 MiB", json!({"kid": "k".repeat(1024 * 1024)})),
            ("kid of 300 bytes", json!({"kid": "k".repeat(300)})),
        ];
        let mut all: Vec<Named> = table
            .into_iter()
            .map(|(name, changes)| (format!("header: {name}"), self.with_header(&changes)))
            .collect();
        if let Some(kid) = self.kid {
            for other in
                ["../../../../dev/null", "' OR '1'='1", &kid.to_uppercase(), &format!("{kid} "), &kid[1..]]
            {
                all.push((format!("header: kid {other:?}"), self.with_header(&json!({"kid": other}))));
            }
        }
        for (name, header) in
            [("a list", "[]"), ("null", "null"), ("empty", ""), ("not JSON", "{alg"), ("a text", "\"HS256\"")]
        {
            all.push((
                format!("header is {name}"),
                self.raw(header.as_bytes(), self.claims_text().as_bytes()),
            ));
        }
        let mark = format!("\u{feff}{}", self.good_header_text());
        all.push((
            "header with a byte order mark".to_owned(),
            self.raw(mark.as_bytes(), self.claims_text().as_bytes()),
        ));
        let more = format!("{}{{}}", self.good_header_text());
        all.push((
            "header with more behind".to_owned(),
            self.raw(more.as_bytes(), self.claims_text().as_bytes()),
        ));
        all
    }

    fn broken_signatures(&self) -> Vec<Named> {
        let good = self.good();
        let (signed, signature) = good.rsplit_once('.').unwrap_or_default();
        let bytes = BASE64URL_NOPAD.decode(signature.as_bytes()).unwrap_or_default();
        let with = |name: &str, bytes: &[u8]| (format!("signature {name}"), with_signature(signed, bytes));
        let mut flipped = bytes.clone();
        flipped[0] ^= 1;
        let mut last = bytes.clone();
        *last.last_mut().unwrap_or(&mut 0) ^= 0x80;
        let other = self.with_claims(&json!({"sub": "somebody else"}));
        let (_, of_other) = other.rsplit_once('.').unwrap_or_default();
        let mut all = vec![
            with("taken away", &[]),
            with("of one zero", &[0]),
            with("of zeros", &vec![0; bytes.len()]),
            with("of ones", &vec![0xff; bytes.len()]),
            with("cut by a byte", &bytes[..bytes.len() - 1]),
            with("cut in half", &bytes[..bytes.len() / 2]),
            with("longer by a byte", &[&bytes[..], &[0]].concat()),
            with("with a zero before it", &[&[0], &bytes[..]].concat()),
            with("twice", &[&bytes[..], &bytes[..]].concat()),
            with("with its first bit flipped", &flipped),
            with("with its last byte changed", &last),
            ("signature of other claims".to_owned(), format!("{signed}.{of_other}")),
            ("claims of another signature".to_owned(), swap_claims(&good, &other)),
        ];
        if matches!(self.key, TokenKey::Es256(_)) {
            all.push(with("with r = 0", &[&[0; 32], &bytes[32..]].concat()));
            all.push(with("with s = 0", &[&bytes[..32], &[0; 32]].concat()));
            all.push(with("with r = s = the curve's order", &[P256_ORDER, P256_ORDER].concat()));
            all.push(with("as DER", &der_signature(&bytes)));
        }
        all
    }

    /// Other texts for the same bytes, and texts that are not three parts.
    fn broken_texts(&self) -> Vec<Named> {
        let good = self.good();
        let parts: Vec<&str> = good.split('.').collect();
        let [header, claims, signature] = parts[..] else { return Vec::new() };
        let claims_bytes = self.claims_text();
        let mut all: Vec<Named> = [
            ("empty", String::new()),
            ("two parts", format!("{header}.{claims}")),
            ("four parts", format!("{good}.{signature}")),
            ("five parts", format!("{header}.{claims}.{signature}.{claims}.{signature}")),
            ("a dot behind", format!("{good}.")),
            ("a dot before", format!(".{good}")),
            ("two dots within", format!("{header}..{claims}.{signature}")),
            ("a space before", format!(" {good}")),
            ("a space behind", format!("{good} ")),
            ("a space within", format!("{header}.{claims} .{signature}")),
            ("a line feed behind", format!("{good}\n")),
            ("a line feed within", format!("{header}.\n{claims}.{signature}")),
            ("a tab within the signature", format!("{header}.{claims}.\t{signature}")),
            ("a NUL behind", format!("{good}\0")),
            ("a comma and a good one", format!("x.y.z,{good}")),
            ("padding behind", format!("{good}=")),
            ("two of padding behind", format!("{good}==")),
            ("quoted", format!("\"{good}\"")),
            ("percent encoded dots", good.replace('.', "%2E")),
            ("with its scheme twice", format!("Bearer {good}")),
            ("bits that are cut off", with_loose_bits(&good)),
        ]
        .map(|(name, text)| (format!("text: {name}"), text))
        .into();
        let padded = format!("{}.{}", BASE64URL.encode(self.good_header_text().as_bytes()), claims);
        if padded.contains('=') {
            let signature = BASE64URL_NOPAD.encode(&self.key.sign(padded.as_bytes()));
            all.push(("text: padding that is signed".to_owned(), format!("{padded}.{signature}")));
        }
        let nested = self.raw(self.good_header_text().as_bytes(), good.as_bytes());
        all.push(("text: a token within a token".to_owned(), nested));
        let quoted = self.raw(self.good_header_text().as_bytes(), json!(good).to_string().as_bytes());
        all.push(("text: a token within a token, as JSON".to_owned(), quoted));
        for (name, claims) in [
            ("a list", b"[]".to_vec()),
            ("empty", Vec::new()),
            (
                "no UTF-8",
                claims_bytes
                    .replacen("sub\":\"", "sub\":\"\u{1}", 1)
                    .into_bytes()
                    .iter()
                    .map(|byte| if *byte == 1 { 0xff } else { *byte })
                    .collect(),
            ),
            ("followed by more", format!("{claims_bytes}{claims_bytes}").into_bytes()),
            ("in UTF-16", claims_bytes.encode_utf16().flat_map(u16::to_le_bytes).collect()),
        ] {
            all.push((
                format!("text: claims are {name}"),
                self.raw(self.good_header_text().as_bytes(), &claims),
            ));
        }
        all.push((
            "text: longer than 8 KiB".to_owned(),
            self.with_claims(&json!({"padding": "p".repeat(7_000)})),
        ));
        all
    }

    /// Members that stand twice: the second as a strict parser's first, and the other way round.
    fn doubled(&self) -> Vec<Named> {
        let (header, claims) = (self.good_header_text(), self.claims_text());
        let twice = |text: &str, name: &str, value: &Value| format!("{{{name}:{value},{}", &text[1..]);
        let after =
            |text: &str, name: &str, value: &Value| format!("{},{name}:{value}}}", &text[..text.len() - 1]);
        let mut all = Vec::new();
        let mut add = |name: &str, header: &str, claims: &str| {
            all.push((format!("twice: {name}"), self.raw(header.as_bytes(), claims.as_bytes())));
        };
        add("alg, the first none", &twice(&header, "\"alg\"", &json!("none")), &claims);
        add("alg, the second none", &after(&header, "\"alg\"", &json!("none")), &claims);
        add("alg, both right", &twice(&header, "\"alg\"", &json!(self.key.alg())), &claims);
        add("alg, once escaped", &twice(&header, "\"\\u0061lg\"", &json!("none")), &claims);
        for claim in ["sub", "aud", "exp", "iss"] {
            let quoted = format!("{claim:?}");
            add(&format!("{claim}, before"), &header, &twice(&claims, &quoted, &self.claims[claim]));
            add(&format!("{claim}, behind"), &header, &after(&claims, &quoted, &self.claims[claim]));
        }
        add("sub, once escaped", &header, &after(&claims, "\"s\\u0075b\"", &json!("root")));
        let rights = after(&claims, "\"tidings\"", &json!({"role": "member"}));
        let inner = rights.replace("{\"role\":\"member\"}", "{\"role\":\"member\",\"role\":\"admin\"}");
        add("a role", &header, &inner);
        all
    }

    fn wrong_times(&self) -> Vec<Named> {
        let now = self.now;
        let mut all: Vec<Named> = [
            ("exp is missing", json!({"exp": null})),
            ("exp was a second ago", json!({"exp": now - 1})),
            ("exp is now", json!({"exp": now})),
            ("exp was in 1970", json!({"exp": 0})),
            ("exp is negative", json!({"exp": -1})),
            ("exp is a text", json!({"exp": (now + 600).to_string()})),
            ("exp has a fraction", json!({"exp": 0.5 + (now + 600) as f64})),
            ("exp is true", json!({"exp": true})),
            ("exp is a list", json!({"exp": [now + 600]})),
            ("exp is 2^63", json!({"exp": 1_u64 << 63})),
            ("exp is 2^64 - 1", json!({"exp": u64::MAX})),
            ("exp is beyond every number", json!({"exp": 1e300})),
            ("exp in milliseconds", json!({"exp": (now + 600) * 1_000})),
            ("nbf in ten minutes", json!({"nbf": now + 600})),
            ("nbf is a text", json!({"nbf": now.to_string()})),
            ("nbf is negative", json!({"nbf": -1})),
            ("nbf is 2^63", json!({"nbf": 1_u64 << 63})),
            ("iat in ten minutes", json!({"iat": now + 600})),
            ("iat is a text", json!({"iat": now.to_string()})),
            ("iat has a fraction", json!({"iat": 0.5 + now as f64})),
        ]
        .map(|(name, changes)| (name.to_owned(), self.with_claims(&changes)))
        .into();
        let with_exp = |exp: &str| {
            let claims = changed(&self.claims, &json!({"exp": "EXP"})).to_string().replace("\"EXP\"", exp);
            self.raw(self.good_header_text().as_bytes(), claims.as_bytes())
        };
        all.push(("exp is null".to_owned(), with_exp("null")));
        all.push(("exp with an exponent".to_owned(), with_exp("4e9")));
        all.push(("exp with a useless fraction".to_owned(), with_exp(&format!("{}.0", now + 600))));
        all.push(("exp in hexadecimal".to_owned(), with_exp("0xffffffff")));
        all.push(("exp with a zero before".to_owned(), with_exp(&format!("0{}", now + 600))));
        all
    }

    fn wrong_claims(&self) -> Vec<Named> {
        let text = |claim: &str| self.claims[claim].as_str().unwrap_or_default().to_owned();
        let (aud, iss) = (text("aud"), text("iss"));
        [
            ("aud is missing", json!({"aud": null})),
            ("aud of somebody else", json!({"aud": "https://elsewhere.example"})),
            ("aud is a part of ours", json!({"aud": aud[..aud.len() - 1]})),
            ("aud is ours and more", json!({"aud": format!("{aud}/")})),
            ("aud in capitals", json!({"aud": aud.to_uppercase()})),
            ("aud is empty", json!({"aud": ""})),
            ("aud is a list of nobody", json!({"aud": []})),
            ("aud is a list of others", json!({"aud": ["https://elsewhere.example", "x"]})),
            ("aud is a list within a list", json!({"aud": [[aud]]})),
            ("aud has a number", json!({"aud": [aud, 1]})),
            ("aud is an object", json!({"aud": {"0": aud}})),
            ("aud is a number", json!({"aud": 1})),
            ("iss is missing", json!({"iss": null})),
            ("iss of somebody else", json!({"iss": "https://attacker.example"})),
            ("iss with a slash more", json!({"iss": format!("{iss}/")})),
            ("iss in capitals", json!({"iss": iss.to_uppercase()})),
            ("iss with a space", json!({"iss": format!("{iss} ")})),
            ("iss is a list", json!({"iss": [iss]})),
            ("iss is empty", json!({"iss": ""})),
            ("sub is missing", json!({"sub": null})),
            ("sub is empty", json!({"sub": ""})),
            ("sub is a number", json!({"sub": 7})),
            ("sub is a list", json!({"sub": ["root"]})),
            ("sub of 201 bytes", json!({"sub": "s".repeat(201)})),
            ("sub with a line feed", json!({"sub": "a\nb"})),
            ("sub with a NUL", json!({"sub": "a\0"})),
        ]
        .map(|(name, changes)| (name.to_owned(), self.with_claims(&changes)))
        .into()
    }

    fn wrong_rights(&self) -> Vec<Named> {
        let many: Vec<String> = (0..101).map(|number| format!("c:{number}")).collect();
        [
            ("are a text", json!("admin")),
            ("are a list", json!(["subscribe:*"])),
            ("are true", json!(true)),
            ("have an unknown role", json!({"role": "root"})),
            ("have a role in capitals", json!({"role": "ADMIN"})),
            ("have a list of roles", json!({"role": ["admin"]})),
            ("have a pattern without list", json!({"subscribe": "*"})),
            ("have a pattern that is none", json!({"subscribe": ["a b"]})),
            ("have a pattern with a star within", json!({"publish": ["a:*:b"]})),
            ("have a number for a pattern", json!({"publish": [1]})),
            ("have 101 patterns", json!({"subscribe": many})),
            ("have an object of patterns", json!({"subscribe": {"0": "*"}})),
        ]
        .map(|(name, rights)| (format!("rights {name}"), self.with_claims(&json!({"tidings": rights}))))
        .into()
    }

    fn good_header_text(&self) -> String {
        self.header().to_string()
    }

    fn claims_text(&self) -> String {
        self.claims.to_string()
    }
}

/// The order of P-256 (FIPS 186-4, D.1.2.3), which is zero to the curve.
const P256_ORDER: [u8; 32] = [
    0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xbc, 0xe6, 0xfa,
    0xad, 0xa7, 0x17, 0x9e, 0x84, 0xf3, 0xb9, 0xca, 0xc2, 0xfc, 0x63, 0x25, 0x51,
];

fn signed_by(header: &[u8], claims: &[u8], sign: impl FnOnce(&[u8]) -> Vec<u8>) -> String {
    let signed = format!("{}.{}", BASE64URL_NOPAD.encode(header), BASE64URL_NOPAD.encode(claims));
    let signature = sign(signed.as_bytes());
    with_signature(&signed, &signature)
}

fn with_signature(signed: &str, signature: &[u8]) -> String {
    format!("{signed}.{}", BASE64URL_NOPAD.encode(signature))
}

fn without_signature(token: &str) -> String {
    token.rsplit_once('.').map_or_else(String::new, |(signed, _)| format!("{signed}."))
}

fn changed(object: &Value, changes: &Value) -> Value {
    let mut object = object.clone();
    if let (Some(members), Some(changes)) = (object.as_object_mut(), changes.as_object()) {
        for (name, value) in changes {
            members.insert(name.clone(), value.clone());
        }
        members.retain(|_, value| !value.is_null());
    }
    object
}

fn swap_claims(token: &str, other: &str) -> String {
    let claims = other.split('.').nth(1).unwrap_or_default();
    let mut parts: Vec<&str> = token.split('.').collect();
    parts[1] = claims;
    parts.join(".")
}

/// The last letter of the signature replaced by one that stands for the same bytes, where the length leaves bits over;
/// otherwise by a letter of the other alphabet.
fn with_loose_bits(token: &str) -> String {
    const LETTERS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let (kept, last) = token.split_at(token.len() - 1);
    let signature = token.rsplit('.').next().unwrap_or_default();
    let at = LETTERS.iter().position(|letter| last.as_bytes()[0] == *letter).unwrap_or_default();
    let loose = if signature.len().is_multiple_of(4) { '+' } else { char::from(LETTERS[at ^ 1]) };
    format!("{kept}{loose}")
}

/// ECDSA-Sig-Value (RFC 3279 section 2.2.3) of r and s side by side.
fn der_signature(bytes: &[u8]) -> Vec<u8> {
    let number = |half: &[u8]| [&[0x02, 33, 0], half].concat();
    let content = [number(&bytes[..32]), number(&bytes[32..])].concat();
    [&[0x30, u8::try_from(content.len()).unwrap_or(0)], &content[..]].concat()
}
