//! What `config.json` may say: whoever edits it by hand is told the key, what was found and what is allowed.

use super::{ModelConfig, ModelTable};
use crate::{Error, Recipe};

impl ModelConfig {
    /// Whether every value is one that a model can have; in words that follow the file's name.
    pub(crate) fn check(&self) -> Result<(), String> {
        if let Some(temperature) = self.temperature.filter(|t| !(t.is_finite() && *t > 0.0)) {
            return Err(format!("`temperature` is {temperature}; expected a number above 0"));
        }
        if let Some(threshold) = self.threshold.filter(|t| !(*t > 0.0 && *t < 1.0)) {
            return Err(format!("`threshold` is {threshold}; expected a number between 0 and 1"));
        }
        let found = self.class_names.len();
        let least = if self.threshold.is_some() { 1 } else { 2 };
        if found < least {
            return Err(format!("{found} names in `class_names`; expected {least} or more"));
        }
        let twice = self.class_names.iter().enumerate();
        let twice = twice.skip(1).find(|(at, name)| self.class_names[..*at].contains(name));
        if let Some((_, name)) = twice {
            return Err(format!(
                "`class_names` has \"{name}\" twice; expected a name of its own for each"
            ));
        }
        for (key, found) in
            [("vocabulary_size", self.vocabulary_size), ("dimensions", self.dimensions)]
        {
            if found == 0 {
                return Err(format!("`{key}` is 0; expected 1 or more"));
            }
        }
        if self.max_length == Some(0) {
            return Err("`max_length` is 0; expected 1 or more, or null for no limit".to_owned());
        }
        self.check_specials()?;
        self.check_network()
    }

    fn check_specials(&self) -> Result<(), String> {
        let (padding, unknown) = (self.specials.padding, self.specials.unknown);
        let words = self.vocabulary_size;
        for (key, id) in [("padding", Some(padding)), ("unknown", unknown)] {
            if let Some(id) = id.filter(|id| *id as usize >= words) {
                return Err(format!(
                    "`specials.{key}` is {id}; expected an id below `vocabulary_size`, {words}"
                ));
            }
        }
        if unknown == Some(padding) {
            return Err(format!(
                "`specials.unknown` is {padding}, as `specials.padding` is; expected another id, or null where no word \
                 is unknown"
            ));
        }
        Ok(())
    }

    /// The limits are those of recipes, whose table `model` is the same.
    fn check_network(&self) -> Result<(), String> {
        let recipe = Recipe { model: self.model.clone(), ..Recipe::default() };
        match recipe.check() {
            Err(Error::BadValue { key, value, allowed, .. }) => {
                return Err(format!("`{key}` is {value}; {allowed}"));
            }
            // TOML has no such integer.
            Err(Error::RecipeSyntax { .. }) => {
                return Err(format!(
                    "`model` holds a number above {}; `hidden_size` and `num_layers` are far below that",
                    i64::MAX
                ));
            }
            // Of how large the whole is this file's own numbers tell, not a recipe's.
            _ => {}
        }
        let (parameters, most) = (self.parameters(), ModelTable::MAX_PARAMETERS);
        if parameters > most {
            return Err(format!(
                "`vocabulary_size` {} of `dimensions` {} with `model.num_layers` {} of `model.hidden_size` {} make \
                 {parameters} parameters; at most {most} (4 GiB of f32) are possible",
                self.vocabulary_size,
                self.dimensions,
                self.model.num_layers,
                self.model.hidden_size
            ));
        }
        Ok(())
    }
}
