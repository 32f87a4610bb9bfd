//! The page around plots, tables and texts.

use std::fmt::Write as _;

use super::judged::is_multi_label;
use super::{Material, Plot, lineage, summary, texts};
use crate::Result;
use crate::html::escape;
use crate::plot::VARIABLES;

const STYLE: &str = include_str!("style.css");

impl Material<'_> {
    /// A class by its number.
    pub(super) fn class(&self, number: u32) -> &str {
        self.config.class_names.get(number as usize).map_or("?", String::as_str)
    }
}

/// One HTML document.
pub(super) fn page(
    material: &Material,
    curves: &[Plot],
    judged: &[Plot],
    maps: &[Plot],
) -> Result<String> {
    let name = escape(&lineage::name_of(material.run));
    let mut page = format!(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" \
         content=\"width=device-width\"><title>{name}: report</title><style>{VARIABLES}{STYLE}</style></head><body>\n\
         <header><h1>{name}</h1><p>{}</p></header>\n",
        escape(&material.recipe.headline()?)
    );
    let mut links = vec![("summary", "Summary"), ("training", "Training")];
    if material.judgement.is_some() {
        links.push(("judged", "The model"));
    }
    let mistakes = material.judgement.is_some_and(|judgement| !is_multi_label(judgement));
    if mistakes {
        links.push(("mistakes", "Surest mistakes"));
    }
    if !maps.is_empty() {
        links.push(("dynamics", "Training texts"));
    }
    links.extend([("recipe", "Recipe"), ("lineage", "Data and files"), ("machine", "Machine")]);
    page.push_str("<nav aria-label=\"Parts of the report\">");
    for (id, title) in links {
        let _ = write!(page, "<a href=\"#{id}\">{title}</a>");
    }
    page.push_str("</nav>\n<main>\n<section id=\"summary\"><h2>Summary</h2>\n");
    summary::headline(material, &mut page);
    page.push_str("</section>\n<section id=\"training\"><h2>Training</h2>\n");
    figures(curves, &mut page);
    page.push_str("<details><summary>Epochs as a table</summary>\n");
    summary::epochs(material, &mut page);
    page.push_str("</details></section>\n");
    if let Some(judgement) = material.judgement {
        let split = escape(&judgement.scored.split);
        let _ = writeln!(page, "<section id=\"judged\"><h2>The model on {split}</h2>");
        figures(judged, &mut page);
        summary::details(judgement, &mut page);
        page.push_str("</section>\n");
    }
    if mistakes {
        texts::mistakes_section(material, &mut page)?;
    }
    if !maps.is_empty() {
        page.push_str(
            "<section id=\"dynamics\"><h2>Training texts</h2>\n<p>What the model gave the label of each training text, \
             epoch by epoch, as it was learned: the mean is its confidence, the standard deviation its variability.</p>\n",
        );
        summary::dynamics(material, &mut page);
        figures(maps, &mut page);
        texts::suspects_part(material, &mut page)?;
        page.push_str("</section>\n");
    }
    lineage::recipe(material, &mut page)?;
    lineage::data(material, &mut page)?;
    lineage::machine(material, &mut page);
    Ok(page + "</main></body></html>\n")
}

fn figures(plots: &[Plot], page: &mut String) {
    page.push_str("<div class=\"plots\">\n");
    for Plot { name, scene, caption } in plots {
        let title = escape(scene.title());
        let _ = writeln!(
            page,
            "<figure id=\"plot-{name}\">{}<figcaption><b>{title}</b>{}</figcaption></figure>",
            scene.inline(),
            escape(caption)
        );
    }
    page.push_str("</div>\n");
}
