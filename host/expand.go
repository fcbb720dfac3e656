package host

import (
	"fmt"
	"regexp"
	"strings"

	"github.com/goccy/go-yaml/ast"
)

// reference matches ${NAME}, and $${ which stands for a literal ${.
var reference = regexp.MustCompile(`\$\$\{|\$\{([^}]*)\}`)

var variableName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

// expander replaces ${NAME} in the string values of a document. It works on
// parsed values, not on the text: a variable's content is always one string,
// whatever YAML it would make.
type expander struct {
	environ func(string) (string, bool)
	values  []string // that were put in
	err     error
}

// expand replaces the references below node. Its error names the variable and
// the line, never a value. It returns the values that were put in.
func expand(node ast.Node, environ func(string) (string, bool)) ([]string, error) {
	e := &expander{environ: environ}
	ast.Walk(e, node)
	return e.values, e.err
}

// Visit implements ast.Visitor.
func (e *expander) Visit(node ast.Node) ast.Visitor {
	if e.err != nil {
		return nil
	}
	switch n := node.(type) {
	case *ast.MappingValueNode: // values only, keys are as they are
		ast.Walk(e, n.Value)
		return nil
	case *ast.LiteralNode:
		e.replace(n.Value)
		return nil
	case *ast.StringNode:
		e.replace(n)
		return nil
	}
	return e
}

func (e *expander) replace(n *ast.StringNode) {
	if !strings.Contains(n.Value, "${") {
		return
	}
	n.Value = reference.ReplaceAllStringFunc(n.Value, func(match string) string {
		if match == "$${" {
			return "${"
		}
		name := match[2 : len(match)-1]
		if !variableName.MatchString(name) {
			e.fail(n, fmt.Errorf("%q is no reference to an environment variable; write ${NAME}, or $${ for a literal ${", match))
			return match
		}
		value, ok := e.environ(name)
		if !ok {
			e.fail(n, fmt.Errorf("environment variable %s is not set", name))
		}
		e.values = append(e.values, value)
		return value
	})
}

func (e *expander) fail(n ast.Node, err error) {
	if e.err == nil {
		e.err = fmt.Errorf("line %d: %w", n.GetToken().Position.Line, err)
	}
}
