//! The smallest useful plugin: it greets whom the task's data names, in the words
//! of its config.
mod scheduler;
use scheduler::*;

plugin!(
    r#"{"abi": 1, "name": "greeter", "version": "1.0.0",
        "dataSchema": {"type": "object", "required": ["name"], "properties": {"name": {"type": "string"}}},
        "configSchema": {"type": "object", "properties": {"salutation": {"type": "string"}}},
        "sample": {"name": "Ada"}}"#,
    greet
);

fn greet(request: Request) -> Result<Json, Error> {
    let name = request.data.get("name").as_str().ok_or_else(|| Error::permanent("the data has no name"))?;
    let config = config()?;
    let salutation = config.get("salutation").as_str().unwrap_or("hello");
    log("info", "greeting", object([("name", name.into())]));
    Ok(object([("greeting", format!("{} {}", salutation, name).into())]))
}
