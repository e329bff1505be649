//! The messages that a request is made of, member by member, as protocol buffers define them.

use super::proto::{Kind, Message};

const TEXT: Kind = Kind::Text;
const NUMBER: Kind = Kind::Number;
const COUNT: Kind = Kind::Integer;
const FLAG: Kind = Kind::Flag;

/// The body of `:generateContent` and `:streamGenerateContent`.
pub(super) static GENERATE: Message = Message(&[
    ("model", TEXT),
    ("contents", Kind::Many(&Kind::One(&CONTENT))),
    ("systemInstruction", Kind::One(&CONTENT)),
    ("tools", Kind::Many(&Kind::One(&TOOL))),
    ("toolConfig", Kind::One(&TOOL_CONFIG)),
    ("safetySettings", Kind::Many(&Kind::One(&SAFETY))),
    ("generationConfig", Kind::One(&CONFIG)),
    ("cachedContent", TEXT),
]);

/// The body of `:batchEmbedContents`.
pub(super) static EMBED: Message = Message(&[("requests", Kind::Many(&Kind::One(&EMBED_ONE)))]);

static EMBED_ONE: Message = Message(&[
    ("model", TEXT),
    ("content", Kind::One(&CONTENT)),
    ("taskType", TEXT),
    ("title", TEXT),
    ("outputDimensionality", COUNT),
]);

static CONTENT: Message = Message(&[("role", TEXT), ("parts", Kind::Many(&Kind::One(&PART)))]);

static PART: Message = Message(&[
    ("text", TEXT),
    ("thought", FLAG),
    ("thoughtSignature", Kind::Bytes),
    ("inlineData", Kind::One(&BLOB)),
    ("fileData", Kind::One(&FILE)),
    ("functionCall", Kind::One(&CALL)),
    ("functionResponse", Kind::One(&RESULT)),
    ("executableCode", Kind::One(&CODE)),
    ("codeExecutionResult", Kind::One(&OUTPUT)),
    ("videoMetadata", Kind::Struct),
    ("mediaResolution", Kind::Struct),
]);

static BLOB: Message = Message(&[("mimeType", TEXT), ("data", Kind::Bytes)]);
static FILE: Message = Message(&[("mimeType", TEXT), ("fileUri", TEXT)]);
static CALL: Message = Message(&[("id", TEXT), ("name", TEXT), ("args", Kind::Struct)]);
static RESULT: Message = Message(&[
    ("id", TEXT),
    ("name", TEXT),
    ("response", Kind::Struct),
    ("parts", Kind::Many(&Kind::One(&RESULT_PART))),
    ("willContinue", FLAG),
    ("scheduling", TEXT),
]);
static RESULT_PART: Message = Message(&[("inlineData", Kind::One(&BLOB))]);
static CODE: Message = Message(&[("language", TEXT), ("code", TEXT)]);
static OUTPUT: Message = Message(&[("outcome", TEXT), ("output", TEXT)]);

static TOOL: Message = Message(&[
    ("functionDeclarations", Kind::Many(&Kind::One(&FUNCTION))),
    ("googleSearch", Kind::Struct),
    ("googleSearchRetrieval", Kind::Struct),
    ("codeExecution", Kind::Struct),
    ("urlContext", Kind::Struct),
    ("googleMaps", Kind::Struct),
    ("fileSearch", Kind::Struct),
    ("computerUse", Kind::Struct),
]);

static FUNCTION: Message = Message(&[
    ("name", TEXT),
    ("description", TEXT),
    ("behavior", TEXT),
    ("parameters", Kind::One(&SCHEMA)),
    ("parametersJsonSchema", Kind::Struct),
    ("response", Kind::One(&SCHEMA)),
    ("responseJsonSchema", Kind::Struct),
]);

static TOOL_CONFIG: Message = Message(&[
    ("functionCallingConfig", Kind::One(&CALLING)),
    ("retrievalConfig", Kind::Struct),
]);
static CALLING: Message = Message(&[
    (
        "mode",
        Kind::Word(&["MODE_UNSPECIFIED", "AUTO", "ANY", "NONE", "VALIDATED"]),
    ),
    ("allowedFunctionNames", Kind::Many(&TEXT)),
]);

static SAFETY: Message = Message(&[("category", TEXT), ("threshold", TEXT)]);

static CONFIG: Message = Message(&[
    ("temperature", NUMBER),
    ("topP", NUMBER),
    ("topK", COUNT),
    ("candidateCount", COUNT),
    ("maxOutputTokens", COUNT),
    ("stopSequences", Kind::Many(&TEXT)),
    ("seed", COUNT),
    ("presencePenalty", NUMBER),
    ("frequencyPenalty", NUMBER),
    ("responseLogprobs", FLAG),
    ("logprobs", COUNT),
    ("responseMimeType", TEXT),
    ("responseSchema", Kind::One(&SCHEMA)),
    ("responseJsonSchema", Kind::Struct),
    ("responseModalities", Kind::Many(&TEXT)),
    ("speechConfig", Kind::Struct),
    ("imageConfig", Kind::Struct),
    ("mediaResolution", TEXT),
    ("thinkingConfig", Kind::One(&THINKING)),
]);

static THINKING: Message = Message(&[
    ("includeThoughts", FLAG),
    ("thinkingBudget", COUNT),
    (
        "thinkingLevel",
        Kind::Word(&[
            "minimal", "low", "medium", "high", "MINIMAL", "LOW", "MEDIUM", "HIGH",
        ]),
    ),
]);

/// The subset of OpenAPI's schemas. What real JSON schemas have besides is unknown here.
static SCHEMA: Message = Message(&[
    (
        "type",
        Kind::Word(&[
            "STRING", "NUMBER", "INTEGER", "BOOLEAN", "ARRAY", "OBJECT", "NULL", "string",
            "number", "integer", "boolean", "array", "object", "null",
        ]),
    ),
    ("format", TEXT),
    ("title", TEXT),
    ("description", TEXT),
    ("nullable", FLAG),
    ("enum", Kind::Many(&TEXT)),
    ("items", Kind::One(&SCHEMA)),
    ("minItems", COUNT),
    ("maxItems", COUNT),
    ("properties", Kind::Map(&Kind::One(&SCHEMA))),
    ("required", Kind::Many(&TEXT)),
    ("propertyOrdering", Kind::Many(&TEXT)),
    ("minProperties", COUNT),
    ("maxProperties", COUNT),
    ("minLength", COUNT),
    ("maxLength", COUNT),
    ("pattern", TEXT),
    ("minimum", NUMBER),
    ("maximum", NUMBER),
    ("anyOf", Kind::Many(&Kind::One(&SCHEMA))),
    ("example", Kind::Any),
    ("default", Kind::Any),
]);
