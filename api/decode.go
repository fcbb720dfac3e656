package api

import (
	"bytes"
	"errors"
	"mime"
	"reflect"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/gofiber/fiber/v2"

	"github.com/nexuscore/scheduler/core"
)

// decode reads the request's JSON body into v, strictly: one value, no unknown
// and no repeated members, names in their exact letter case. What is wrong is
// named by its place.
func decode(c *fiber.Ctx, v any) error {
	if err := checkContentType(c); err != nil {
		return err
	}
	body := c.Request().Body() // not c.Body(): that one unpacks compressed bodies past the size limit
	if len(body) == 0 {
		return core.Errorf(core.CodeInvalidRequest, "the request has no body; send a JSON object")
	}
	return decodeJSON(body, v)
}

func checkContentType(c *fiber.Ctx) error {
	if encoding := c.Get(fiber.HeaderContentEncoding); encoding != "" && encoding != "identity" {
		return core.Errorf(core.CodeUnsupportedMedia, "compressed request bodies are not supported; send it plain")
	}
	media, _, err := mime.ParseMediaType(c.Get(fiber.HeaderContentType))
	if err == nil && (media == fiber.MIMEApplicationJSON || strings.HasSuffix(media, "+json")) {
		return nil
	}
	return core.Errorf(core.CodeUnsupportedMedia, "send the body as JSON with the header Content-Type: application/json")
}

func decodeJSON(body []byte, v any) error {
	if first := bytes.TrimLeft(body, " \t\r\n"); len(first) > 0 && first[0] != '{' {
		return core.Errorf(core.CodeInvalidRequest, "the body is not a JSON object")
	}
	err := json.Unmarshal(body, v, json.RejectUnknownMembers(true), json.WithUnmarshalers(nullIsDefault))
	if err == nil {
		return nil
	}
	pointer, problem := explain(err)
	if pointer == "" {
		return core.Errorf(core.CodeInvalidRequest, "the body is not usable JSON: %s", problem)
	}
	return core.Invalid(core.CodeInvalidRequest, []core.FieldProblem{{Field: string(pointer), Problem: problem}})
}

// nullIsDefault lets a null stand for what is there already, which is the
// default, wherever null is no value of the field: by itself the decoder would
// put the zero value there, and {"enabled": null} make a disabled task.
var nullIsDefault = json.UnmarshalFromFunc(func(dec *jsontext.Decoder, v any) error {
	if dec.PeekKind() != 'n' || reflect.TypeOf(v).Elem().Kind() == reflect.Pointer {
		return errors.ErrUnsupported // decode it as usual
	}
	_, err := dec.ReadToken()
	return err
})

// explain says in plain words what a decoding error is about.
func explain(err error) (jsontext.Pointer, string) {
	if e, ok := errors.AsType[*jsontext.SyntacticError](err); ok && !errors.Is(err, jsontext.ErrDuplicateName) {
		return "", "syntax error at byte " + itoa(e.ByteOffset) + ": " + strings.TrimPrefix(e.Err.Error(), "jsontext: ")
	}
	e, ok := errors.AsType[*json.SemanticError](err)
	switch {
	case errors.Is(err, jsontext.ErrDuplicateName):
		if d, ok := errors.AsType[*jsontext.SyntacticError](err); ok {
			return d.JSONPointer, "is given twice"
		}
		return "", "a member is given twice"
	case !ok:
		return "", "it cannot be read"
	case errors.Is(err, json.ErrUnknownName):
		return e.JSONPointer, "is not a known field"
	}
	problem := "it " + kindName(e.JSONKind, e.GoType)
	if e.GoType != nil {
		problem = "must be " + typeWords(e.GoType) + "; " + problem
	}
	return e.JSONPointer, problem
}

// kindName says what was found where a value of another type was expected.
func kindName(k jsontext.Kind, t reflect.Type) string {
	switch k {
	case 'n':
		return "is null"
	case 't', 'f':
		return "is a boolean"
	case '"':
		if t == reflect.TypeFor[time.Time]() {
			return "is a text of another form"
		}
		return "is a string"
	case '0':
		if t != nil && t.Kind() == reflect.Int64 {
			return "is a fraction or too large"
		}
		return "is a number"
	case '{':
		return "is an object"
	case '[':
		return "is an array"
	}
	return "is something else"
}
