//! What stands in the guides: README.md and docs/*.md.

use std::path::{Path, PathBuf};

/// First words of commands in running text that must be run as those in blocks are. (`faregate` is checked by its own parser.)
const PROGRAMS: [&str; 11] =
    ["aws", "cargo", "curl", "docker", "ipa", "kadmin", "openssl", "pip", "sam", "skopeo", "uvx"];

/// A guide.
pub struct Guide {
    /// Its path from the root of the repository.
    pub path: String,
    /// Its text.
    pub text: String,
}

/// A fenced block.
pub struct Block {
    /// The heading above it, with its `#`.
    pub heading: String,
    /// What stands behind the opening fence; nothing for commands.
    pub info: String,
    /// Its lines.
    pub text: String,
}

/// The root of the repository.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").canonicalize().unwrap()
}

/// All guides.
pub fn guides() -> Vec<Guide> {
    let docs = std::fs::read_dir(root().join("docs")).unwrap().map(|entry| entry.unwrap().path());
    let docs = docs.filter(|path| path.extension().is_some_and(|extension| extension == "md"));
    let mut paths: Vec<PathBuf> = docs.chain([root().join("README.md")]).collect();
    paths.sort();
    let guide = |path: PathBuf| Guide {
        text: std::fs::read_to_string(&path).unwrap(),
        path: path.strip_prefix(root()).unwrap().display().to_string(),
    };
    paths.into_iter().map(guide).collect()
}

/// The guide at this path.
pub fn guide(path: &str) -> Guide {
    guides().into_iter().find(|guide| guide.path == path).unwrap_or_else(|| panic!("there is no {path}"))
}

impl Guide {
    /// Its fenced blocks, in order.
    pub fn blocks(&self) -> Vec<Block> {
        let (mut heading, mut blocks, mut open) = (String::new(), Vec::new(), None::<Block>);
        for line in self.text.lines() {
            match (line.strip_prefix("```"), &mut open) {
                (Some(_), Some(_)) => blocks.extend(open.take()),
                (Some(info), None) => {
                    open = Some(Block { heading: heading.clone(), info: info.to_owned(), text: String::new() });
                }
                (None, Some(block)) => block.text += &format!("{line}\n"),
                (None, None) if line.starts_with('#') => line.clone_into(&mut heading),
                (None, None) => {}
            }
        }
        assert!(open.is_none(), "{}: a block is not closed", self.path);
        blocks
    }

    /// The blocks of commands below a heading.
    pub fn commands_below(&self, heading: &str) -> Vec<String> {
        let blocks = self.blocks().into_iter().filter(|block| block.heading == heading && block.is_commands());
        let commands: Vec<String> = blocks.flat_map(|block| block.commands()).collect();
        assert!(!commands.is_empty(), "{}: there are no commands below `{heading}`", self.path);
        commands
    }

    /// The first block of this language below a heading.
    pub fn block(&self, heading: &str, info: &str) -> String {
        let mut blocks = self.blocks().into_iter();
        let found = blocks.find(|block| block.heading == heading && block.info == info);
        found.unwrap_or_else(|| panic!("{}: there is no block of `{info}` below `{heading}`", self.path)).text
    }

    /// All code in its running text.
    pub fn spans(&self) -> Vec<String> {
        let mut fenced = false;
        let prose = self.text.lines().filter(|line| {
            let fence = line.starts_with("```");
            fenced ^= fence;
            !fence && !fenced
        });
        spans(&prose.collect::<Vec<_>>().join("\n"))
    }

    /// Every command that a reader is told to run: the lines of blocks, and what begins with a known program in running text.
    pub fn commands(&self) -> Vec<String> {
        let blocks = self.blocks().into_iter().filter(Block::is_commands);
        let mut commands: Vec<String> = blocks.flat_map(|block| block.commands()).collect();
        commands.extend(self.spans().into_iter().filter(|span| {
            span.split_once(' ').is_some_and(|(program, rest)| PROGRAMS.contains(&program) && !rest.trim().is_empty())
        }));
        commands
    }
}

impl Block {
    /// Blocks that name no language are commands.
    pub fn is_commands(&self) -> bool {
        ["", "sh", "bash", "console"].contains(&self.info.as_str())
    }

    /// One command each, without comments.
    pub fn commands(&self) -> Vec<String> {
        let joined = self.text.replace("\\\n", "");
        let lines = joined.lines().map(|line| line.split("  #").next().unwrap_or(line));
        let words = lines.map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "));
        words.filter(|line| !line.is_empty() && !line.starts_with('#')).collect()
    }
}

/// Code spans: what stands between two runs of as many backticks.
fn spans(prose: &str) -> Vec<String> {
    let mut spans = Vec::new();
    let mut rest = prose;
    while let Some(start) = rest.find('`') {
        let ticks = rest[start..].chars().take_while(|c| *c == '`').count();
        let after = &rest[start + ticks..];
        let fence = "`".repeat(ticks);
        let end = after.match_indices(&fence).map(|(at, _)| at).find(|at| !after[at + ticks..].starts_with('`'));
        let Some(end) = end else { break };
        spans.push(after[..end].split_whitespace().collect::<Vec<_>>().join(" "));
        rest = &after[end + ticks..];
    }
    spans
}

#[test]
fn blocks_and_spans_are_found() {
    let text = "# A\n```\nsam build  # now\ncurl x \\\n  -d y\n```\n## B\n`cargo a\nb`, ``with `one` inside``, `sam`\n```toml\nx = 1\n```\n";
    let guide = Guide { path: "x.md".into(), text: text.into() };
    assert_eq!(guide.commands(), ["sam build", "curl x -d y", "cargo a b"]);
    assert_eq!(guide.spans(), ["cargo a b", "with `one` inside", "sam"]);
    assert_eq!(guide.block("## B", "toml"), "x = 1\n");
}
