//! The patterns of each kind of attacks.
//!
//! They are looked for in ASCII, in upper and lower case. Those for bodies are strings of which every part is there for
//! the attack: how it breaks out of a text, what it does, how it hides the rest. A question about an attack may
//! have such a string in it; code, prose and tables have not. Heads of requests have less to say, so more is
//! looked for there.

use super::{
    patterns::Place::{self, Body, Headers, PathAndQuery},
    settings::InjectionKind::{self, *},
};

/// A pattern.
pub(super) struct Predefined {
    pub(super) kind: InjectionKind,
    pub(super) places: &'static [Place],
    pub(super) pattern: &'static str,
}

const EVERYWHERE: &[Place] = &[Headers, PathAndQuery, Body];
const HEAD: &[Place] = &[Headers, PathAndQuery];
const PATH: &[Place] = &[PathAndQuery];

const fn of(kind: InjectionKind, places: &'static [Place], pattern: &'static str) -> Predefined {
    Predefined {
        kind,
        places,
        pattern,
    }
}

/// All patterns.
pub(super) const PREDEFINED: &[Predefined] = &[
    // A quote that ends a text, and a condition that is always true.
    of(
        Sql,
        EVERYWHERE,
        r#"'[ \t]*\)*[ \t]*(?:(?:or|and)[ \t]+\(*[ \t]*\d{1,9}[ \t]*(?:=|<|>|like)[ \t]*\d{1,9}[ \t]*\)*[ \t]*(?:--|#|/\*)|or[ \t]+1[ \t]*=[ \t]*1[ \t]*(?:;|$))"#,
    ),
    of(
        Sql,
        EVERYWHERE,
        r#"'[ \t]*\)*[ \t]*or[ \t]+\(*(?:'(?:1'[ \t]*=[ \t]*'1|a'[ \t]*=[ \t]*'a|x'[ \t]*=[ \t]*'x)|'\w{1,16}'[ \t]*=[ \t]*'\w{1,16}(?:'?[ \t]*\)*[ \t]*(?:--|#|/\*|;)|$))"#,
    ),
    // A second statement, and a comment that hides the rest of the first.
    of(
        Sql,
        EVERYWHERE,
        r#"['"][ \t]*\)*[ \t]*;[ \t]*(?:drop|truncate|alter|delete[ \t]+from|insert[ \t]+into|update|exec(?:ute)?|shutdown)\b[^\n;]{0,100};?[ \t]*(?:--|#|/\*)"#,
    ),
    of(
        Sql,
        EVERYWHERE,
        r#"['"][ \t]*\)*[ \t]*union[ \t]+(?:all[ \t]+)?select\b[^\n]{1,200}(?:--|#|/\*)"#,
    ),
    of(
        Sql,
        EVERYWHERE,
        r#"'[ \t]*\)*[ \t]*(?:;|\|\||or|and)[ \t]*(?:\(?select[ \t]+)?(?:waitfor[ \t]+delay[ \t]+'|pg_sleep[ \t]*\(|sleep[ \t]*\([ \t]*\d+[ \t]*\)[ \t]*\)*[ \t]*(?:--|#)|benchmark[ \t]*\([ \t]*\d{4})"#,
    ),
    of(
        Sql,
        HEAD,
        r#"\bunion[\s/*]+(?:all[\s/*]+)?select\b|;\s*(?:drop|truncate)\s+(?:table|database)\b|\b(?:or|and)\s+\d{1,9}\s*=\s*\d{1,9}\s*(?:--|#|$)"#,
    ),
    // An operator where a secret is expected.
    of(
        Nosql,
        EVERYWHERE,
        r#"["'](?:password|passwd|pwd|pass)["']\s*:\s*\{\s*["']?\$(?:ne|gt|gte|regex|nin|not)["']?\s*:\s*(?:null|-?\d|""|''|\[\s*\]|["']\.\*["']|["']\^)"#,
    ),
    of(
        Nosql,
        EVERYWHERE,
        r#"(?:^|[?&;\s])(?:user(?:name)?|login|email|pass(?:word|wd)?|token)\[\$(?:ne|gte?|lte?|n?in|regex|exists|where)\](?:\[\])?="#,
    ),
    of(
        Nosql,
        EVERYWHERE,
        r#"'[ \t]*\|\|[ \t]*(?:'1'[ \t]*==[ \t]*'1|1[ \t]*==[ \t]*1[ \t]*(?://|;|%00|$))|'[ \t]*;[ \t]*return[ \t]+true[ \t]*;[ \t]*(?:var[ \t]|//|')"#,
    ),
    of(
        Nosql,
        PATH,
        r#"\[\$(?:ne|gte?|lte?|n?in|regex|exists|where)\]"#,
    ),
    // A second command that reads or ruins what only an attacker wants.
    of(
        Command,
        EVERYWHERE,
        r#"(?:[;|&]|\$\()[ \t]*(?:/bin/|/usr/bin/)?(?:cat|head|tail|less|more|nl|tac|base64|xxd)[ \t]+/etc/(?:passwd|shadow|gshadow|sudoers)\b"#,
    ),
    of(
        Command,
        EVERYWHERE,
        r#"[;|&][ \t]*(?:sudo[ \t]+)?rm[ \t]+-(?:rf|fr)[ \t]+(?:--no-preserve-root[ \t]+)?/\*?[ \t]*(?:$|[;|&#'"])"#,
    ),
    // Shells that call home.
    of(
        Command,
        EVERYWHERE,
        r#"\b(?:ba|z|k)?sh[ \t]+-i[ \t]*(?:[0-9]?>&?|<)[ \t&]*/dev/(?:tcp|udp)/|\b(?:nc|ncat|netcat)(?:\.exe)?[ \t][^\n;|&]{0,60}-[a-z]*[ec][ \t]*(?:/bin/(?:ba|z)?sh|cmd(?:\.exe)?)\b"#,
    ),
    of(
        Command,
        EVERYWHERE,
        r#"\(\)[ \t]*\{[ \t]*:;[ \t]*\}[ \t]*;"#,
    ),
    of(
        Command,
        EVERYWHERE,
        r#"[&|][ \t]*(?:type[ \t]+[a-z]:\\(?:windows\\win\.ini|boot\.ini)|net[ \t]+user[ \t]+\S{1,64}[ \t]+\S{1,64}[ \t]+/add\b)"#,
    ),
    of(
        Command,
        HEAD,
        r#"(?:[;|&`]|\$\()\s*(?:id|whoami|uname|ifconfig|cat|wget|curl|nc|ping|sleep|powershell|(?:/bin/)?(?:ba|z)?sh)(?:\s+-?[\w./:]|\s*(?:$|[;|&`)]))"#,
    ),
    // Up to the root, and down to what is secret.
    of(
        Path,
        EVERYWHERE,
        r#"(?:(?:\.|%2e|%252e){2}(?:/|\\|%2f|%5c|%252f|%255c)+){2,}(?:etc(?:/|%2f|%252f)(?:passwd|shadow|group|hosts)\b|proc(?:/|%2f|%252f)self\b|(?:root|home)(?:/|%2f)[^\s]{0,64}\.ssh\b|win(?:dows|nt)(?:\\|/|%5c|%255c)|boot\.ini\b)"#,
    ),
    of(
        Path,
        PATH,
        r#"(?:(?:\.|%2e|%252e){2}(?:/|\\|%2f|%5c|%252f|%255c)+){2}|%00|\x00|%c0%ae"#,
    ),
    // A filter that ends before its time, at the beginning of a line.
    of(
        Ldap,
        EVERYWHERE,
        r#"(?m)^[ \t"'`]*[\w*.@-]{1,64}\)[ \t]*\((?:[&|!][ \t]*\(|(?:uid|cn|sn|mail|objectclass|userpassword|samaccountname)[ \t]*=[ \t]*[^)\n]{0,64}\)[ \t]*\)|[&|!]\))"#,
    ),
    of(Ldap, PATH, r#"=[^()]{0,64}\)\s*\("#),
    // Entities that read files, or grow without end.
    of(
        Xml,
        EVERYWHERE,
        r#"<!ENTITY\s+(?:%\s+)?[\w.-]{1,64}\s+(?:SYSTEM|PUBLIC\s+["'][^"']{0,128}["'])\s+["'](?:file|php|expect|gopher|jar|netdoc):"#,
    ),
    of(
        Xml,
        EVERYWHERE,
        r#"<!ENTITY\s+[\w.-]{1,64}\s+["'](?:\s*&[\w.-]{1,64};){5,}"#,
    ),
    of(
        Xml,
        EVERYWHERE,
        r#"<xi:include\b[^>]{0,200}\bhref\s*=\s*["']file:"#,
    ),
    of(Xml, HEAD, r#"<!(?:ENTITY|DOCTYPE)\b"#),
    // Credentials of the machine, and protocols that nobody else speaks.
    of(
        Ssrf,
        EVERYWHERE,
        r#"https?://(?:169\.254\.169\.254|\[fd00:ec2::254\]|0xa9fea9fe|2852039166|100\.100\.100\.200|metadata\.google\.internal)(?::80)?/(?:latest/meta-data/(?:iam/security-credentials|ram/security-credentials)|computeMetadata/v1(?:beta1)?/instance/service-accounts/[^\s/]{1,128}/token|metadata/identity/oauth2/token)"#,
    ),
    of(
        Ssrf,
        EVERYWHERE,
        r#"\b(?:gopher|dict)://(?:localhost|127\.|0\.0\.0\.0|\[::1?\]|10\.|192\.168\.|169\.254\.)[^\s/]{0,64}/?(?:_|\S{0,16}%0)"#,
    ),
    of(
        Ssrf,
        PATH,
        r#"=\s*(?:(?:https?|ftp)://(?:[^\s/@]{0,64}@)?(?:localhost|127\.|0\.0\.0\.0|\[::|10\.|192\.168\.|172\.(?:1[6-9]|2\d|3[01])\.|169\.254\.|metadata\.)|(?:gopher|dict|ldap|tftp)://)"#,
    ),
    // Wrappers that turn a file's name into something else.
    of(
        File,
        EVERYWHERE,
        r#"php://filter/(?:[\w.=|-]{1,200}/)?resource=(?:\.\./|/etc/|\w+(?:\.php)?\b)|\bexpect://(?:id|ls|whoami|cat|uname)\b|\bdata:(?://)?text/plain;base64,PD9waH"#,
    ),
    of(
        File,
        EVERYWHERE,
        r#"\bfile:///+(?:etc/(?:passwd|shadow)|proc/self/)"#,
    ),
    of(
        File,
        PATH,
        r#"=\s*(?:php|phar|zip|expect|data|glob|file)://|=[^\s]{0,200}(?:%00|\x00)"#,
    ),
    // Ways from a template to the program around it.
    of(
        Template,
        EVERYWHERE,
        r#"(?:\{\{|\{%)[^\n]{0,200}(?:__class__[^\n]{0,100}__(?:mro|base|bases|subclasses|init|globals)__|__globals__[^\n]{0,100}(?:popen|system|__builtins__)|__subclasses__\s*\(|\.popen\s*\()"#,
    ),
    of(
        Template,
        EVERYWHERE,
        r#"freemarker\.template\.utility\.(?:Execute|ObjectConstructor|JythonRuntime)"\s*\?\s*new\s*\(|[$#*]\{[^}\n]{0,100}(?:T\s*\(\s*java\.lang\.Runtime\s*\)|getClass\s*\(\s*\)\s*\.\s*forName\s*\()"#,
    ),
    of(
        Template,
        EVERYWHERE,
        r#"\$\{(?:j|\$\{[^}\n]{0,32}j\})(?:n|\$\{[^}\n]{0,32}n\})(?:d|\$\{[^}\n]{0,32}d\})(?:i|\$\{[^}\n]{0,32}i\}):(?:ldaps?|rmi|dns|iiop|nis|corba|https?|\$\{)"#,
    ),
    of(
        Template,
        HEAD,
        r#"(?:\{\{|\$\{|#\{|<%=)\s*\d{1,6}\s*\*\s*'?\d{1,6}'?\s*(?:\}|%>)|\$\{[^}]{0,64}:-j\}"#,
    ),
    // A quote that ends a text, and an expression over the whole document.
    of(
        Xpath,
        EVERYWHERE,
        r#"['"][ \t]*\][ \t]*\|[ \t]*//?(?:\*|node\(\)|\w{1,64})[^\n|]{0,64}\|[ \t]*[\w/]{0,64}\[[ \t]*['"]"#,
    ),
    of(
        Xpath,
        EVERYWHERE,
        r#"'[ \t]*(?:or|and)[ \t]+(?:count|string-length|substring|name|contains)[ \t]*\([ \t]*(?:/|\.\.|name\()[^\n]{0,100}(?:or|and)[ \t]+'\w{0,16}'[ \t]*=[ \t]*'\w{0,16}[ \t]*$"#,
    ),
    of(
        Xpath,
        EVERYWHERE,
        r#"'[ \t]*\][ \t]*/(?:parent|ancestor|following|preceding)(?:-sibling|-or-self)?::(?:\*|node\(\))[^\n]{0,64}\[[ \t]*'"#,
    ),
    // Line breaks that begin a header, written so that they pass for a part of a value.
    of(
        Header,
        EVERYWHERE,
        r#"(?:%0d%0a|%0d|%0a|%e5%98%8a)(?:%20)*(?:set-cookie|location|content-length|content-type|transfer-encoding)(?::|%3a)[^\s]{1,64}(?:%0d%0a|%0d|%0a)"#,
    ),
    of(
        Header,
        PATH,
        r#"(?:%0d|%0a|\r|\n|%e5%98%8a)(?:%20|\s)*(?:set-cookie|location|content-length|content-type|transfer-encoding|x-[\w-]{1,32})\s*(?::|%3a)|[\r\n]HTTP/1"#,
    ),
    // Scripts that only show that they run, or carry the visitor's cookies away.
    of(
        Xss,
        EVERYWHERE,
        r#"<script\b[^>]{0,100}>\s*(?:alert|prompt|confirm)\s*\(\s*(?:1|document\.(?:cookie|domain)|["'/]xss["'/]|String\.fromCharCode)"#,
    ),
    of(
        Xss,
        EVERYWHERE,
        r#"<script\b[^>]{0,100}>[^<]{0,200}(?:document\.location|window\.location|location\.href|new\s+Image\(\)\.src|fetch)\s*(?:=|\()\s*["'`]https?://[^"'`\n]{1,200}["'`]\s*\+\s*(?:encodeURIComponent\(\s*|escape\(\s*|btoa\(\s*)?document\.cookie"#,
    ),
    of(
        Xss,
        EVERYWHERE,
        r#"<(?:img|svg|body|iframe|video|audio|input|details|marquee)\b[^>]{0,200}\bon(?:error|load|start|focus|toggle|mouseover)\s*=\s*["'`]?\s*(?:javascript:\s*)?(?:alert|prompt|confirm|eval)\s*(?:\(|`)\s*(?:1|document\.(?:cookie|domain)|["'/]xss|String\.fromCharCode|atob)"#,
    ),
    of(
        Xss,
        EVERYWHERE,
        r#"javascript:\s*(?:alert|prompt|confirm|eval)\s*\(\s*(?:1\b|document\.(?:cookie|domain)|["'/]xss|String\.fromCharCode|atob)"#,
    ),
    of(
        Xss,
        HEAD,
        r#"<\s*/?\s*script\b|<\s*(?:iframe|img|svg|object|embed)\b[^>]{0,200}\bon[a-z]{3,16}\s*=|javascript:"#,
    ),
];

// === impl InjectionKind ===

impl InjectionKind {
    /// What the access log calls it.
    pub(super) fn name(self) -> &'static str {
        match self {
            All => "all",
            Sql => "sql",
            Nosql => "nosql",
            Command => "command",
            Path => "path",
            Ldap => "ldap",
            Xml => "xml",
            Ssrf => "ssrf",
            File => "file",
            Template => "template",
            Xpath => "xpath",
            Header => "header",
            Xss => "xss",
        }
    }
}

#[cfg(test)]
mod tests;
