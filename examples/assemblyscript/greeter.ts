// The smallest useful plugin: it greets whom the task's data names, in the words
// of its config.
import { config, Json, log, ok, plugin, Request, Result } from "./scheduler";
export { task_abi_v1, task_alloc, task_describe, task_handle } from "./scheduler";

plugin(
  `{"abi": 1, "name": "greeter", "version": "1.0.0",
    "dataSchema": {"type": "object", "required": ["name"], "properties": {"name": {"type": "string"}}},
    "configSchema": {"type": "object", "properties": {"salutation": {"type": "string"}}},
    "sample": {"name": "Ada"}}`,
  (request: Request): Result => {
    const name = request.data.get("name").asString();
    const salutation = config().get("salutation");
    log("info", "greeting", Json.object().set("name", Json.string(name)));
    const greeting = (salutation.isNull ? "hello" : salutation.asString()) + " " + name;
    return ok(Json.object().set("greeting", Json.string(greeting)));
  },
);
