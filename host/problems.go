package host

import (
	"fmt"
	"slices"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/santhosh-tekuri/jsonschema/v6/kind"

	"github.com/nexuscore/scheduler/core"
)

// problems turns the tree of a schema validation into a flat list, each entry
// at the field that has to change.
type problems struct {
	root  string
	found []core.FieldProblem
}

// collect walks to the leaves, which name the real reasons. A choice (anyOf,
// oneOf, not) stays one problem: its leaves contradict each other.
func (p *problems) collect(e *jsonschema.ValidationError) {
	if names, ok := alternatives(e); ok {
		p.add(e.InstanceLocation, "needs one of "+strings.Join(names, ", "))
		return
	}
	switch e.ErrorKind.(type) {
	case *kind.AnyOf, *kind.OneOf, *kind.Not, *kind.Contains:
		p.add(e.InstanceLocation, describe(e.ErrorKind))
		return
	}
	if len(e.Causes) > 0 {
		for _, cause := range e.Causes {
			p.collect(cause)
		}
		return
	}
	switch k := e.ErrorKind.(type) {
	case *kind.Required:
		for _, name := range k.Missing {
			p.add(append(slices.Clone(e.InstanceLocation), name), "is required")
		}
	case *kind.AdditionalProperties:
		for _, name := range k.Properties {
			p.add(append(slices.Clone(e.InstanceLocation), name), "is not a known field")
		}
	default:
		p.add(e.InstanceLocation, describe(k))
	}
}

// alternatives returns the fields of a choice (anyOf, oneOf) of which none is
// there, when that is all that the choice asks for.
func alternatives(e *jsonschema.ValidationError) ([]string, bool) {
	switch e.ErrorKind.(type) {
	case *kind.AnyOf, *kind.OneOf:
	default:
		return nil, false
	}
	var names []string
	for _, cause := range e.Causes {
		missing, ok := cause.ErrorKind.(*kind.Required)
		if !ok || len(missing.Missing) != 1 || !slices.Equal(cause.InstanceLocation, e.InstanceLocation) {
			return nil, false
		}
		names = append(names, missing.Missing[0])
	}
	return names, len(names) > 0
}

func (p *problems) add(path []string, problem string) {
	if len(p.found) == maxProblems {
		return
	}
	p.found = append(p.found, core.FieldProblem{Field: p.root + pointer(path), Problem: problem})
}

// pointer renders a path as a JSON Pointer.
func pointer(path []string) string {
	var b strings.Builder
	for _, token := range path {
		b.WriteByte('/')
		b.WriteString(strings.NewReplacer("~", "~0", "/", "~1").Replace(token))
	}
	return b.String()
}

// describe says what is wrong without quoting the value that is wrong.
func describe(k jsonschema.ErrorKind) string {
	switch k := k.(type) {
	case *kind.Type:
		return fmt.Sprintf("must be %s, is %s", strings.Join(k.Want, " or "), k.Got)
	case *kind.Enum:
		return "must be one of " + list(k.Want)
	case *kind.Const:
		return "must be " + list([]any{k.Want})
	case *kind.Format:
		return "must be a valid " + k.Want
	case *kind.Pattern:
		return "must match the pattern " + k.Want
	case *kind.UniqueItems:
		return fmt.Sprintf("must not repeat items; %d and %d are equal", k.Duplicates[0], k.Duplicates[1])
	case *kind.PropertyNames:
		return "has a field whose name is not allowed"
	case *kind.DependentRequired:
		return fmt.Sprintf("needs %s beside %s", strings.Join(k.Missing, ", "), k.Prop)
	case *kind.FalseSchema:
		return "is not allowed"
	}
	if text, ok := describeBound(k); ok {
		return text
	}
	return "does not satisfy " + strings.Join(k.KeywordPath(), "/") + " of the schema"
}

// describeBound says by how much a value is beyond a bound.
func describeBound(k jsonschema.ErrorKind) (string, bool) {
	switch k := k.(type) {
	case *kind.MinLength:
		return fmt.Sprintf("must have at least %d characters, has %d", k.Want, k.Got), true
	case *kind.MaxLength:
		return fmt.Sprintf("must have at most %d characters, has %d", k.Want, k.Got), true
	case *kind.MinItems:
		return fmt.Sprintf("must have at least %d items, has %d", k.Want, k.Got), true
	case *kind.MaxItems:
		return fmt.Sprintf("must have at most %d items, has %d", k.Want, k.Got), true
	case *kind.MinProperties:
		return fmt.Sprintf("must have at least %d fields, has %d", k.Want, k.Got), true
	case *kind.MaxProperties:
		return fmt.Sprintf("must have at most %d fields, has %d", k.Want, k.Got), true
	case *kind.Minimum:
		return "must be at least " + k.Want.RatString(), true
	case *kind.Maximum:
		return "must be at most " + k.Want.RatString(), true
	case *kind.ExclusiveMinimum:
		return "must be greater than " + k.Want.RatString(), true
	case *kind.ExclusiveMaximum:
		return "must be less than " + k.Want.RatString(), true
	case *kind.MultipleOf:
		return "must be a multiple of " + k.Want.RatString(), true
	}
	return "", false
}

func list(values []any) string {
	texts := make([]string, len(values))
	for i, v := range values {
		texts[i] = fmt.Sprintf("%v", v)
	}
	return strings.Join(texts, ", ")
}
