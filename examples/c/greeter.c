// The smallest useful plugin: it greets whom the task's data names, in the words
// of its config.
#include "scheduler.h"

const char *task_manifest =
    "{\"abi\": 1, \"name\": \"greeter\", \"version\": \"1.0.0\","
    " \"dataSchema\": {\"type\": \"object\", \"required\": [\"name\"], \"properties\": {\"name\": {\"type\": \"string\"}}},"
    " \"configSchema\": {\"type\": \"object\", \"properties\": {\"salutation\": {\"type\": \"string\"}}},"
    " \"sample\": {\"name\": \"Ada\"}}";

task_result task_run(task_request request) {
  task_text name = json_member_string(request.data, "name");
  task_text salutation = json_member_string(task_config(), "salutation");

  json_out fields = {0};
  json_open(&fields, '{');
  json_put_string(&fields, "name", name);
  json_close(&fields, '}');
  task_log("info", TASK_TEXT("greeting"), json_text(&fields));

  json_out greeting = {0};
  json_add(&greeting, salutation.at ? salutation : TASK_TEXT("hello"));
  json_add(&greeting, TASK_TEXT(" "));
  json_add(&greeting, name);

  json_out result = {0};
  json_open(&result, '{');
  json_put_string(&result, "greeting", json_text(&greeting));
  json_close(&result, '}');
  return task_ok(json_text(&result));
}
