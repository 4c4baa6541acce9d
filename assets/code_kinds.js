/** What the parts of code are, by the scopes of their grammars (TextMate's conventions). The first is all the rest. */

export const KINDS = [
  { name: "text", scopes: ["meta.embedded", "source", "string meta.embedded", "variable.other", "punctuation.section.embedded"] },
  { name: "comment", scopes: ["comment", "punctuation.definition.comment"] },
  { name: "string", scopes: ["string", "punctuation.definition.string", "markup.inline.raw", "string.regexp"] },
  { name: "number", scopes: ["constant", "entity.name.constant", "variable.language", "support.constant", "keyword.other.unit"] },
  { name: "keyword", scopes: ["keyword", "storage", "storage.type", "punctuation.definition.keyword", "markup.italic", "markup.bold"] },
  { name: "function", scopes: ["entity.name.function", "support.function", "entity.name", "meta.function-call entity.name"] },
  { name: "type", scopes: ["entity.name.type", "entity.name.class", "support.type", "support.class", "entity.other.inherited-class"] },
  { name: "tag", scopes: ["entity.name.tag", "markup.heading", "punctuation.definition.list", "entity.name.section"] },
  { name: "attribute", scopes: ["entity.other.attribute-name", "variable.parameter", "support.type.property-name", "meta.property-name"] },
  { name: "inserted", scopes: ["markup.inserted"] },
  { name: "deleted", scopes: ["markup.deleted"] },
];
