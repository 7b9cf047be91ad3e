//! What the crates promise to those who use them, read from rustdoc's JSON.
//!
//! `imscore-api list JSON TEXT` compares the public items of a crate with a listing, `imscore-api write JSON TEXT` writes the listing, and
//! `imscore-api examples JSON...` names the public types that stand in no compiled example of their crate. `.ci/public-api` and
//! `.ci/doc-examples` run it.

mod example;
mod listing;
mod types;

use std::env;
use std::fs;
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use public_api::PublicApi;
use rustdoc_types::{Crate, FORMAT_VERSION};

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match run(&words) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("{error:#}");
            ExitCode::from(2)
        }
    }
}

/// Whether all is as it is to be; what is not has been printed.
fn run(words: &[&str]) -> Result<bool> {
    match words {
        ["list", json, text] => {
            let wanted = fs::read_to_string(text).with_context(|| format!("no listing {text}"))?;
            let changes = listing::changes(&wanted, &lines(Path::new(json))?);
            if !changes.is_empty() {
                println!("{text} and the crate differ (- gone, + new):");
            }
            for change in &changes {
                println!("{change}");
            }
            Ok(changes.is_empty())
        }
        ["write", json, text] => {
            fs::write(text, lines(Path::new(json))?.concat()).with_context(|| format!("cannot write {text}"))?;
            Ok(true)
        }
        ["examples", crates @ ..] if !crates.is_empty() => {
            let mut complete = true;
            for json in crates {
                let path = Path::new(json);
                let types = types::of(&items(path)?);
                let missing = types::without_example(&types, &read(path)?);
                for name in &missing {
                    println!("no example shows {name}");
                }
                println!("{json}: {} of {} public types stand in an example", types.len() - missing.len(), types.len());
                complete &= missing.is_empty();
            }
            Ok(complete)
        }
        _ => bail!("imscore-api list JSON TEXT | write JSON TEXT | examples JSON..."),
    }
}

fn lines(json: &Path) -> Result<Vec<String>> {
    Ok(listing::lines(&items(json)?, &read(json)?))
}

fn items(json: &Path) -> Result<PublicApi> {
    public_api::Builder::from_rustdoc_json(json)
        .omit_blanket_impls(true)
        .omit_auto_trait_impls(true)
        .build()
        .with_context(|| {
            format!("cannot read {}; this program knows rustdoc's format {FORMAT_VERSION}", json.display())
        })
}

fn read(json: &Path) -> Result<Crate> {
    let text = fs::read_to_string(json).with_context(|| format!("no file {}", json.display()))?;
    serde_json::from_str(&text).with_context(|| format!("{} is not rustdoc's JSON", json.display()))
}
