"""The type of a file by its name. Its content is not looked at."""

from __future__ import annotations

UNKNOWN = "unknown"

_BY_NAME = {
    "dockerfile": "dockerfile",
    "containerfile": "dockerfile",
    "makefile": "makefile",
    "gnumakefile": "makefile",
    "cmakelists.txt": "cmake",
    "jenkinsfile": "groovy",
    "gemfile": "ruby",
    "rakefile": "ruby",
    "procfile": "text",
    "license": "text",
    "readme": "text",
    ".gitignore": "ignore",
    ".dockerignore": "ignore",
    ".npmignore": "ignore",
    ".gitattributes": "gitattributes",
    ".editorconfig": "ini",
    ".env": "dotenv",
    "go.mod": "go",
    "go.sum": "text",
}

_EXTENSIONS = {
    "python": "py pyi pyw",
    "javascript": "js jsx mjs cjs",
    "typescript": "ts tsx mts cts",
    "markdown": "md markdown mdx",
    "restructuredtext": "rst",
    "text": "txt log",
    "yaml": "yaml yml",
    "json": "json jsonl json5 webmanifest ipynb",
    "toml": "toml",
    "xml": "xml xsd xsl plist",
    "ini": "ini cfg conf properties",
    "html": "html htm xhtml",
    "css": "css",
    "scss": "scss sass",
    "less": "less",
    "vue": "vue",
    "svelte": "svelte",
    "shell": "sh bash zsh fish",
    "powershell": "ps1 psm1",
    "batch": "bat cmd",
    "dockerfile": "dockerfile",
    "makefile": "mk",
    "cmake": "cmake",
    "sql": "sql",
    "graphql": "graphql gql",
    "protobuf": "proto",
    "terraform": "tf tfvars",
    "java": "java",
    "kotlin": "kt kts",
    "groovy": "groovy gradle",
    "scala": "scala",
    "go": "go",
    "rust": "rs",
    "c": "c h",
    "cpp": "cc cpp cxx hh hpp hxx",
    "csharp": "cs",
    "ruby": "rb",
    "php": "php",
    "swift": "swift",
    "dart": "dart",
    "elixir": "ex exs",
    "haskell": "hs",
    "lua": "lua",
    "perl": "pl pm",
    "r": "r",
    "csv": "csv tsv",
    "image": "png jpg jpeg gif webp ico bmp",
    "svg": "svg",
    "font": "woff woff2 ttf otf",
    "pdf": "pdf",
    "archive": "zip tar gz tgz bz2 xz",
}
_BY_EXTENSION = {extension: kind for kind, extensions in _EXTENSIONS.items() for extension in extensions.split()}


def file_type(path: str) -> str:
    """Return the type of a file, such as `python` or `markdown`; `unknown` when its name does not say."""
    name = path.rpartition("/")[2].lower()
    if name in _BY_NAME:
        return _BY_NAME[name]
    stem, dot, extension = name.rpartition(".")
    if dot and stem and extension in _BY_EXTENSION:
        return _BY_EXTENSION[extension]
    # Dockerfile.dev, Makefile.am, .env.example
    return _BY_NAME.get(name.partition(".")[0] or f".{name[1:].partition('.')[0]}", UNKNOWN)
