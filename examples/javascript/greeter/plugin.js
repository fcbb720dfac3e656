// The smallest useful plugin: it greets whom the task's data names, in the words
// of its config.
scheduler.plugin({
  name: "greeter",
  version: "1.0.0",
  dataSchema: {type: "object", required: ["name"], properties: {name: {type: "string"}}},
  configSchema: {type: "object", properties: {salutation: {type: "string"}}},
  sample: {name: "Ada"},

  run({name}) {
    const {salutation = "hello"} = scheduler.config();
    scheduler.log.info("greeting", {name});
    return {greeting: `${salutation} ${name}`};
  },
});
