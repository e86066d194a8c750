// Colours a file by its language: comments, texts, numbers and the words of the language. It makes text nodes and spans
// of what is there, never markup; what it does not know stays as it is. Each line is a span of its own, and stays one.
"use strict";

(() => {
  const LARGEST = 300000;
  const LONGEST_LINE = 4000;
  const C_LIKE = { line: ["//"], block: [["/*", "*/"]], quotes: ['"', "'"] };
  const HASH = { line: ["#"], block: [], quotes: ['"', "'"] };
  const MARKUP = { line: [], block: [["<!--", "-->"]], quotes: ['"', "'"], tags: true };
  const JS = "abstract as async await break case catch class const continue debugger default delete do else enum export extends false finally for from function get if implements import in instanceof interface keyof let new null of private protected public readonly return set static super switch this throw true try type typeof undefined var void while yield";
  const WORDS = {
    python: "and as assert async await break case class continue def del elif else except False finally for from global if import in is lambda match None nonlocal not or pass raise return True try while with yield",
    javascript: JS, typescript: JS,
    java: "abstract boolean break byte case catch char class const continue default do double else enum extends false final finally float for if implements import instanceof int interface long new null package private protected public record return short static super switch this throw throws true try var void while",
    go: "break case chan const continue default defer else fallthrough false for func go goto if import interface map nil package range return select struct switch true type var",
    rust: "as async await break const continue crate dyn else enum extern false fn for if impl in let loop match mod move mut pub ref return self Self static struct super trait true type unsafe use where while",
    c: "break case char const continue default do double else enum extern float for goto if inline int long return short signed sizeof static struct switch typedef union unsigned void volatile while",
    shell: "case do done elif else esac export fi for function if in local return set then until while",
    sql: "add all alter and as asc begin between by case check column commit constraint create default delete desc distinct drop else end exists foreign from group having if in index inner insert into is join key left like limit not null on or order outer primary references right rollback select set table then union unique update values view when where with",
    ruby: "alias and begin break case class def do else elsif end ensure false for if in module next nil not or redo rescue retry return self super then true undef unless until when while yield",
    php: "abstract and array as break case catch class const continue default do echo else elseif extends false final finally fn for foreach function if implements interface namespace new null or private protected public return static switch this throw trait true try use var while yield",
    dockerfile: "ADD ARG CMD COPY ENTRYPOINT ENV EXPOSE FROM HEALTHCHECK LABEL ONBUILD RUN SHELL STOPSIGNAL USER VOLUME WORKDIR AS",
    json: "true false null", yaml: "true false null yes no on off", toml: "true false",
  };
  WORDS.cpp = `${WORDS.c} bool catch class constexpr delete explicit false friend namespace new nullptr operator override private protected public template this throw true try typename using virtual`;
  WORDS.csharp = WORDS.kotlin = WORDS.scala = WORDS.swift = WORDS.dart = WORDS.groovy = `${WORDS.java} as async await def fun func guard in internal is let lazy match namespace object open override self sealed some struct trait using val when where yield`;
  const RULES = {
    python: { ...HASH, block: [['"""', '"""', "c-text"], ["'''", "'''", "c-text"]] },
    javascript: { ...C_LIKE, block: [...C_LIKE.block, ["`", "`", "c-text"]] },
    go: { ...C_LIKE, block: [...C_LIKE.block, ["`", "`", "c-text"]] },
    rust: { ...C_LIKE, quotes: ['"'] },
    php: { ...C_LIKE, line: ["//", "#"] },
    sql: { line: ["--"], block: [["/*", "*/"]], quotes: ["'", '"'], anyCase: true },
    css: { ...C_LIKE, line: [] }, scss: C_LIKE, less: C_LIKE,
    html: MARKUP, xml: MARKUP, svg: MARKUP, vue: MARKUP, svelte: MARKUP,
    json: { line: [], block: [], quotes: ['"'], keys: true },
    yaml: { ...HASH, keys: true, spaced: true }, toml: { ...HASH, keys: true }, ini: { line: ["#", ";"], block: [], quotes: [], keys: true },
    dotenv: { ...HASH, keys: true }, lua: { line: ["--"], block: [], quotes: ['"', "'"] },
    ignore: { line: ["#"], block: [], quotes: [] }, makefile: HASH, shell: HASH, ruby: HASH, dockerfile: HASH, terraform: { ...HASH, keys: true },
    perl: HASH, r: HASH, elixir: HASH, graphql: HASH, cmake: HASH, powershell: HASH,
  };
  RULES.typescript = RULES.javascript;
  for (const name of ["java", "c", "cpp", "csharp", "kotlin", "scala", "swift", "dart", "groovy", "protobuf"]) RULES[name] = C_LIKE;

  const NUMBER = /-?\b(?:0[xob][\da-f_]+|\d[\d_]*(?:\.\d[\d_]*)?(?:e[+-]?\d+)?)\b/iy;
  const WORD = /[A-Za-z_$][\w$-]*/y;
  const KEY = /(?:"(?:[^"\\]|\\.)*"|[\w.$\/-]+)(?=\s*[:=])/y;
  const TAG = /<\/?[A-Za-z][\w:.-]*|\/?>/y;

  // What a comment or a text ends with that goes over several lines is handed from line to line.
  function paintLine(text, into, rules, words, open) {
    let plain = "";
    let at = 0;
    let inTag = false;
    const flush = () => { if (plain) into.append(plain); plain = ""; };
    const put = (kind, piece) => {
      flush();
      const span = document.createElement("span");
      span.className = kind;
      span.textContent = piece;
      into.append(span);
      at += piece.length;
    };
    const match = (pattern) => { pattern.lastIndex = at; return pattern.exec(text)?.[0]; };
    const within = (closing, kind, from) => {
      const end = text.indexOf(closing, from);
      put(kind, text.slice(at, end < 0 ? text.length : end + closing.length));
      return end < 0 ? [closing, kind] : null;
    };
    if (open) open = within(open[0], open[1], 0);
    while (at < text.length) {
      const block = rules.block.find(([opening]) => text.startsWith(opening, at));
      if (block) { open = within(block[1], block[2] ?? "c-comment", at + block[0].length); continue; }
      const before = at === 0 || /\s/.test(text[at - 1]);
      if (rules.line.some((mark) => text.startsWith(mark, at) && (mark !== "#" || before))) { put("c-comment", text.slice(at)); break; }
      let piece;
      if (rules.keys && (piece = text.slice(0, at).trim().replace(/^[-{,\s]+|[\[({]/g, "") === "" && match(KEY))) { put("c-name", piece); continue; }
      if (rules.tags && (piece = match(TAG))) { inTag = !piece.endsWith(">"); put("c-word", piece); continue; }
      const marked = !rules.tags || inTag;
      if (marked && rules.quotes.includes(text[at]) && !(rules.spaced && !before && text[at] === "'")) {
        const closing = text[at];
        let end = at + 1;
        while (end < text.length && text[end] !== closing) end += text[end] === "\\" ? 2 : 1;
        put("c-text", text.slice(at, Math.min(end + 1, text.length)));
        continue;
      }
      const inWord = at > 0 && /[\w$]/.test(text[at - 1]);
      if (!inWord && !rules.tags && (piece = match(NUMBER))) { put("c-number", piece); continue; }
      if (!inWord && (piece = match(WORD))) {
        if (words.has(rules.anyCase ? piece.toLowerCase() : piece)) put("c-word", piece);
        else { plain += piece; at += piece.length; }
        continue;
      }
      plain += text[at];
      at += 1;
    }
    flush();
    return open;
  }

  for (const block of document.querySelectorAll("[data-language]")) {
    const rules = RULES[block.dataset.language];
    if (!rules || block.textContent.length > LARGEST) continue;
    const words = new Set((WORDS[block.dataset.language] ?? "").split(" "));
    let open = null;
    for (const line of block.querySelectorAll(".code-line")) {
      const text = line.textContent.replace(/\n$/, "");
      if (text.length > LONGEST_LINE) continue;
      const painted = document.createDocumentFragment();
      open = paintLine(text, painted, rules, words, open);
      line.replaceChildren(painted, "\n");
    }
  }
})();
