//! Entities that are known by name.

use super::{
    Check, Entity,
    check::{money, network, people, things},
};

/// An entity that is known by name.
pub(crate) struct Known {
    pub(crate) name: &'static str,
    /// What is written in its place, unless it is said otherwise.
    pub(crate) mask: &'static str,
    pattern: &'static str,
    check: Check,
}

// === impl Known ===

impl Known {
    const fn new(
        name: &'static str,
        mask: &'static str,
        pattern: &'static str,
        check: Check,
    ) -> Self {
        Self {
            name,
            mask,
            pattern,
            check,
        }
    }

    pub(crate) fn entity(&self) -> Entity {
        Entity::ours(self.pattern, self.check.clone())
    }
}

/// The names of all that `data_masking` knows.
pub(crate) fn names() -> Vec<&'static str> {
    ALL.iter().map(|known| known.name).collect()
}

pub(crate) const EMAIL: &str = r"[A-Za-z0-9._%+-]{1,64}@(?:[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.){1,8}[A-Za-z]{2,24}\b";
pub(crate) const CARD: &str = r"\b[2-689](?:[ -]?[0-9]){12,18}\b";
pub(crate) const SOCIAL_SECURITY: &str = r"\b[0-9]{3}[- ][0-9]{2}[- ][0-9]{4}\b";
pub(crate) const IPV4: &str =
    r"\b(?:(?:25[0-5]|2[0-4][0-9]|1?[0-9]?[0-9])\.){3}(?:25[0-5]|2[0-4][0-9]|1?[0-9]?[0-9])\b";
pub(crate) const IPV6: &str = r"(?:\b[0-9A-Fa-f]{1,4}|:):(?:[0-9A-Fa-f]{0,4}:){0,6}(?:[0-9]{1,3}(?:\.[0-9]{1,3}){3}\b|[0-9A-Fa-f]{1,4}\b|)";
pub(crate) const JWT: &str = r"\beyJ[A-Za-z0-9_-]{5,}\.eyJ[A-Za-z0-9_-]{5,}\.[A-Za-z0-9_-]*";
/// Keys that are told by how they begin: of providers of models, clouds, code hosts, chats and payments.
pub(crate) const API_KEY: &str = concat!(
    r"\b(?:sk-[A-Za-z0-9_-]{20,200}|(?:AKIA|ASIA)[0-9A-Z]{16}\b|AIza[0-9A-Za-z_-]{35}|gh[pousr]_[A-Za-z0-9]{36,251}",
    r"|github_pat_[A-Za-z0-9_]{22,244}|glpat-[A-Za-z0-9_-]{20,64}|xox[abeoprs]-[A-Za-z0-9-]{10,250}|hf_[A-Za-z0-9]{30,64}",
    r"|npm_[A-Za-z0-9]{36}|gsk_[A-Za-z0-9]{40,64}|xai-[A-Za-z0-9]{40,128}|(?:sk|pk|rk)_(?:test|live)_[A-Za-z0-9]{16,247}",
    r"|whsec_[A-Za-z0-9]{24,64}|SG\.[A-Za-z0-9_-]{16,32}\.[A-Za-z0-9_-]{16,64})",
);
/// With what stands between its lines; as far as there is something, if its last line is missing.
pub(crate) const PRIVATE_KEY: &str = concat!(
    r"-----BEGIN (?:[A-Z0-9]{1,16} ){0,3}PRIVATE KEY(?: BLOCK)?-----(?:-{0,4}[^-])*",
    r"(?:-----END [A-Z0-9 ]{0,64}-----)?",
);
pub(crate) const CHINA_MOBILE: &str =
    r"(?:\+86[- ]?|\b(?:(?:0086|86)[- ]?)?)1[3-9][0-9](?:[- ]?[0-9]{4}){2}\b";
pub(crate) const CHINA_CARD: &str = r"\b[1-9][0-9]{5}(?:18|19|20)[0-9]{2}(?:0[1-9]|1[0-2])(?:0[1-9]|[12][0-9]|3[01])[0-9]{3}[0-9Xx]\b";

/// What `data_masking` knows. Of two that match the same, the first counts, so that the one that is more certain stands first.
pub(crate) const ALL: &[Known] = &[
    Known::new("credit_card", "[MASKED_CC]", CARD, Check::Part(money::card)),
    Known::new(
        "spanish_iban",
        "[MASKED_ES_IBAN]",
        r"\bES[0-9]{2}(?:[ -]?[0-9]{4}){5}\b",
        Check::Part(money::spanish_iban),
    ),
    Known::new(
        "iban",
        "[MASKED_IBAN]",
        r"\b[A-Z]{2}[0-9]{2}(?:[ -]?[A-Z0-9]){11,30}\b",
        Check::Part(money::iban),
    ),
    Known::new("email", "[MASKED_EMAIL]", EMAIL, Check::None),
    Known::new(
        "ssn",
        "[MASKED_SSN]",
        SOCIAL_SECURITY,
        Check::All(people::social_security),
    ),
    Known::new(
        "us_medicare",
        "[MASKED_MEDICARE]",
        r"\b(?:[1-9][0-9]{2}-[0-9]{2}-[0-9]{4}[A-Z]|[1-9][AC-HJKMNP-RT-Y][AC-HJKMNP-RT-Y0-9][0-9]-?[AC-HJKMNP-RT-Y][AC-HJKMNP-RT-Y0-9][0-9]-?[AC-HJKMNP-RT-Y]{2}[0-9]{2})\b",
        Check::None,
    ),
    Known::new(
        "cvv",
        "[MASKED_CVV]",
        r"(?i)\b(?:cvv2?|cvc2?|csc)[\s:=#-]{0,3}[0-9]{3,4}\b",
        Check::None,
    ),
    Known::new("jwt_token", "[MASKED_JWT_TOKEN]", JWT, Check::None),
    Known::new(
        "stripe_key",
        "[MASKED_API_KEY]",
        r"\b(?:(?:sk|pk|rk)_(?:test|live)|whsec)_[A-Za-z0-9]{16,247}",
        Check::None,
    ),
    Known::new(
        "password",
        "[MASKED_PASSWORD]",
        r"(?i)\bpass(?:word|wd|phrase)\s{0,3}[=:]\s{0,3}\S{1,256}",
        Check::None,
    ),
    Known::new(
        "api_key",
        "[MASKED_API_KEY]",
        r"(?i)\b(?:api|access)[_-]?key\s{0,3}[=:]\s{0,3}\S{1,512}",
        Check::None,
    ),
    Known::new(
        "access_token",
        "[MASKED_TOKEN]",
        r"(?i)\b(?:access[_-]?token\s{0,3}[=:]|bearer(?:\s{0,3}[=:]|\s))\s{0,3}[^\s=:]\S{7,}",
        Check::None,
    ),
    Known::new("ip_address", "[MASKED_IP]", IPV4, Check::None),
    Known::new(
        "mac_address",
        "[MASKED_MAC]",
        r"\b[0-9A-Fa-f]{2}(?::[0-9A-Fa-f]{2}){5}\b",
        Check::None,
    ),
    Known::new(
        "device_mac",
        "[MASKED_MAC]",
        r"\b[0-9A-Fa-f]{2}(?:[:-][0-9A-Fa-f]{2}){5}\b",
        Check::None,
    ),
    Known::new(
        "ip6_address",
        "[MASKED_IP6]",
        IPV6,
        Check::All(network::ipv6),
    ),
    Known::new(
        "uuid",
        "[MASKED_UUID]",
        r"\b[0-9A-Fa-f]{8}-(?:[0-9A-Fa-f]{4}-){3}[0-9A-Fa-f]{12}\b",
        Check::None,
    ),
    Known::new(
        "crypto_wallet",
        "[MASKED_WALLET]",
        r"\b(?:bc1[a-z0-9]{25,59}|[13][1-9A-HJ-NP-Za-km-z]{25,34}|0x[0-9A-Fa-f]{40})\b",
        Check::None,
    ),
    Known::new(
        "isin",
        "[MASKED_ISIN]",
        r"\b[A-Z]{2}[A-Z0-9]{9}[0-9]\b",
        Check::All(money::security),
    ),
    Known::new(
        "italian_cf",
        "[MASKED_IT_CF]",
        r"\b[A-Z]{6}[0-9LMNP-V]{2}[A-EHLMPR-T][0-9LMNP-V]{2}[A-Z][0-9LMNP-V]{3}[A-Z]\b",
        Check::All(people::italian),
    ),
    Known::new(
        "mexican_curp",
        "[MASKED_MX_CURP]",
        r"\b[A-Z]{4}[0-9]{6}[HMX][A-Z]{5}[0-9A-Z][0-9]\b",
        Check::All(people::mexican),
    ),
    Known::new(
        "mexican_rfc",
        "[MASKED_MX_RFC]",
        r"\b[A-Z&]{3,4}[0-9]{6}[A-Z0-9]{3}\b",
        Check::None,
    ),
    Known::new(
        "spanish_dni",
        "[MASKED_DNI]",
        r"\b[0-9]{8}-?[A-HJ-NP-TV-Z]\b",
        Check::All(people::spanish),
    ),
    Known::new(
        "spanish_nie",
        "[MASKED_NIE]",
        r"\b[XYZ]-?[0-9]{7}-?[A-HJ-NP-TV-Z]\b",
        Check::All(people::spanish),
    ),
    Known::new(
        "spanish_cif",
        "[MASKED_CIF]",
        r"\b[A-HJNP-SUVW][0-9]{7}[A-J0-9]\b",
        Check::All(money::spanish_company),
    ),
    Known::new(
        "german_id",
        "[MASKED_DE_ID]",
        r"\b[A-Z][A-Z0-9]{8}[0-9]\b",
        Check::All(people::german),
    ),
    Known::new(
        "vehicle_vin",
        "[MASKED_VIN]",
        r"\b[A-HJ-NPR-Z0-9]{17}\b",
        Check::All(things::vehicle),
    ),
    Known::new(
        "swift_bic",
        "[MASKED_BIC]",
        r"\b[A-Z]{6}[A-Z0-9]{2}(?:[A-Z0-9]{3})?\b",
        Check::All(money::bank_code),
    ),
    Known::new(
        "french_nir",
        "[MASKED_FR_NIR]",
        r"\b[12] ?[0-9]{2} ?[0-9]{2} ?(?:[0-9]{2}|2[AB]) ?[0-9]{3} ?[0-9]{3} ?[0-9]{2}\b",
        Check::All(people::french),
    ),
    Known::new(
        "device_imei",
        "[MASKED_IMEI]",
        r"\b[0-9]{2}[ -]?[0-9]{6}[ -]?[0-9]{6}[ -]?[0-9]\b",
        Check::All(things::device),
    ),
    Known::new(
        "brazilian_cnpj",
        "[MASKED_BR_CNPJ]",
        r"\b[0-9]{2}\.?[0-9]{3}\.?[0-9]{3}/?[0-9]{4}-?[0-9]{2}\b",
        Check::All(money::brazilian_company),
    ),
    Known::new(
        "brazilian_cpf",
        "[MASKED_BR_CPF]",
        r"\b[0-9]{3}\.?[0-9]{3}\.?[0-9]{3}-?[0-9]{2}\b",
        Check::All(people::brazilian),
    ),
    Known::new(
        "spanish_nss",
        "[MASKED_NSS]",
        r"\b[0-9]{2}[ /-]?[0-9]{8}[ /-]?[0-9]{2}\b",
        Check::All(money::spanish_social_security),
    ),
    Known::new(
        "chilean_rut",
        "[MASKED_CL_RUT]",
        r"\b[0-9]{1,2}\.?[0-9]{3}\.?[0-9]{3}-?[0-9Kk]\b",
        Check::All(people::chilean),
    ),
    Known::new(
        "spanish_phone",
        "[MASKED_ES_PHONE]",
        r"(?:\+34[ -]?|\b(?:0034[ -]?)?)[6-9][0-9]{2}(?:[ -]?[0-9]{3}){2}\b",
        Check::None,
    ),
    Known::new(
        "phone_number",
        "[MASKED_PHONE]",
        r"(?:\+[1-9](?:[ ().-]{0,2}[0-9]){7,14}|(?:\([0-9]{2,4}\) ?|\b[0-9]{2,4}[ .-])[0-9]{3,4}[ .-][0-9]{3,4}|\b(?:1[3-9][0-9]{9}|[2-9][0-9]{9}))\b",
        Check::All(network::phone),
    ),
    Known::new(
        "routing_number",
        "[MASKED_ROUTING]",
        r"\b[0-9]{9}\b",
        Check::All(money::routing_number),
    ),
    Known::new(
        "tax_id",
        "[MASKED_TAX_ID]",
        r"\b[0-9]{2}[- ]?[0-9]{7}\b",
        Check::None,
    ),
    Known::new(
        "passport",
        "[MASKED_PASSPORT]",
        r"\b[A-Z]{1,2}[0-9]{6,9}\b",
        Check::None,
    ),
    Known::new(
        "drivers_license",
        "[MASKED_LICENSE]",
        r"\b(?:[A-Z]{1,2}[ -]?[0-9]{4,8}|[0-9]{3}[ -]?[0-9]{3}[ -]?[0-9]{3})\b",
        Check::None,
    ),
    Known::new(
        "address",
        "[MASKED_ADDRESS]",
        r"\b[0-9]{1,6}\s[A-Za-z][A-Za-z .]{1,60},\s{1,2}[A-Za-z][A-Za-z ]{1,60},\s{1,2}[A-Z]{2}\s[0-9]{5}(?:-[0-9]{4})?\b",
        Check::None,
    ),
    Known::new(
        "date",
        "[MASKED_DATE]",
        r"(?i)\b(?:[0-9]{4}[-/][0-9]{1,2}[-/][0-9]{1,2}|[0-9]{1,2}[-/.][0-9]{1,2}[-/.][0-9]{4}|[0-9]{1,2}(?:st|nd|rd|th)?(?: de| of)? [a-z]{3,12}(?: de|,)? [0-9]{4}|[a-z]{3,12} [0-9]{1,2}(?:st|nd|rd|th)?,? [0-9]{4})\b",
        Check::None,
    ),
    Known::new(
        "peruvian_dni",
        "[MASKED_PE_DNI]",
        r"\b[0-9]{8}\b",
        Check::None,
    ),
    Known::new(
        "argentine_dni",
        "[MASKED_AR_DNI]",
        r"\b[0-9]{1,2}\.?[0-9]{3}\.?[0-9]{3}\b",
        Check::None,
    ),
    Known::new(
        "colombian_cc",
        "[MASKED_CO_CC]",
        r"\b[0-9]{8,10}\b",
        Check::None,
    ),
    Known::new(
        "bank_account",
        "[MASKED_ACCOUNT]",
        r"\b[0-9]{8,20}\b",
        Check::None,
    ),
    Known::new(
        "zip_code",
        "[MASKED_ZIP]",
        r"\b[0-9]{5}(?:-[0-9]{4})?\b",
        Check::None,
    ),
];
