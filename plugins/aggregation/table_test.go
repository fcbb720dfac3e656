package main

import (
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/nexuscore/scheduler/sdk"
)

// filled makes a table of documents.
func filled(t *testing.T, in input, docs ...string) *table {
	t.Helper()
	made := newTable(in)
	for _, text := range docs {
		doc, err := decode([]byte(text))
		require.NoError(t, err)
		require.NoError(t, made.add(made.project(doc)))
	}
	return made
}

// jsonOf renders what a test compares.
func jsonOf(t *testing.T, v any) string {
	t.Helper()
	raw, err := json.Marshal(v)
	require.NoError(t, err)
	return string(raw)
}

// shown renders what is made of all rows.
func shown(t *testing.T, made *table) string {
	t.Helper()
	return jsonOf(t, made.figures(made.all))
}

func metrics(field string, ops ...string) (list []metric) {
	for _, op := range ops {
		list = append(list, metric{As: strings.ReplaceAll(op, ".", "_"), Op: op, Field: field})
	}
	return list
}

func TestFiguresOfKnownValues(t *testing.T) {
	all := metrics("/x", "count", "sum", "avg", "min", "max", "p0", "p50", "p95", "p100")
	for name, test := range map[string]struct {
		docs []string
		want string
	}{
		"integers":         {[]string{`{"x":3}`, `{"x":1}`, `{"x":2}`, `{"x":4}`}, `{"count":4,"sum":10,"avg":2.5,"min":1,"max":4,"p0":1,"p50":2,"p95":4,"p100":4}`},
		"tenths":           {[]string{`{"x":0.1}`, `{"x":0.2}`}, `{"count":2,"sum":0.3,"avg":0.15,"min":0.1,"max":0.2,"p0":0.1,"p50":0.1,"p95":0.2,"p100":0.2}`},
		"one":              {[]string{`{"x":-7.50}`}, `{"count":1,"sum":-7.5,"avg":-7.5,"min":-7.5,"max":-7.5,"p0":-7.5,"p50":-7.5,"p95":-7.5,"p100":-7.5}`},
		"beyond a float":   {[]string{`{"x":9007199254740993}`, `{"x":9007199254740992}`}, `{"count":2,"sum":18014398509481985,"avg":9007199254740992,"min":9007199254740992,"max":9007199254740993,"p0":9007199254740992,"p50":9007199254740992,"p95":9007199254740993,"p100":9007199254740993}`},
		"beyond an int64":  {[]string{`{"x":9223372036854775807}`, `{"x":9223372036854775807}`}, `{"count":2,"sum":18446744073709551614,"avg":9223372036854775807,"min":9223372036854775807,"max":9223372036854775807,"p0":9223372036854775807,"p50":9223372036854775807,"p95":9223372036854775807,"p100":9223372036854775807}`},
		"written so or so": {[]string{`{"x":1e2}`, `{"x":100.0}`, `{"x":-0}`}, `{"count":3,"sum":200,"avg":66.66666666666667,"min":0,"max":100,"p0":0,"p50":100,"p95":100,"p100":100}`},
		"nothing":          {nil, `{"count":0,"sum":0,"avg":null,"min":null,"max":null,"p0":null,"p50":null,"p95":null,"p100":null}`},
		"no numbers":       {[]string{`{"x":"1"}`, `{"x":null}`, `{}`, `[]`, `{"x":true}`}, `{"count":2,"sum":0,"avg":null,"min":null,"max":null,"p0":null,"p50":null,"p95":null,"p100":null}`},
		"hardly anything":  {[]string{`{"x":1e-999}`, `{"x":0.000000000001e-999999999}`}, `{"count":2,"sum":0,"avg":0,"min":0,"max":0,"p0":0,"p50":0,"p95":0,"p100":0}`},
	} {
		t.Run(name, func(t *testing.T) {
			made := filled(t, input{Metrics: all}, test.docs...)
			raw, err := json.Marshal(made.figures(made.all).Metrics)
			require.NoError(t, err)
			var got, want map[string]json.RawMessage
			require.NoError(t, json.Unmarshal(raw, &got))
			require.NoError(t, json.Unmarshal([]byte(test.want), &want))
			require.Equal(t, want, got)
		})
	}
}

func TestANumberBeyondMeasureIsAnError(t *testing.T) {
	made := newTable(input{Metrics: metrics("/x", "sum")})
	for _, text := range []string{`{"x":1e400}`, `{"x":-1e999999999}`} {
		doc, err := decode([]byte(text))
		require.NoError(t, err)
		err = made.add(made.project(doc))
		require.ErrorContains(t, err, "/x: ")
		require.True(t, sdk.IsPermanent(err))
	}
}

// What is computed agrees with the plain way to do it, for whole numbers and for
// others.
func TestTheArithmetic(t *testing.T) {
	for seed := range uint64(200) {
		r := rand.New(rand.NewPCG(seed, 1))
		whole := seed%2 == 0
		n := 1 + r.IntN(300)
		docs := make([]string, n)
		values := map[string][]float64{}
		for i := range docs {
			x := float64(r.IntN(2_000_001) - 1_000_000)
			if !whole {
				x = math.Round(r.NormFloat64()*1e6) / 1e3
			}
			g := string(rune('a' + r.IntN(4)))
			docs[i] = fmt.Sprintf(`{"g":%q,"x":%s}`, g, strconv.FormatFloat(x, 'f', -1, 64))
			values[g] = append(values[g], x)
			values[""] = append(values[""], x)
		}
		ops := []string{"count", "sum", "avg", "min", "max", "p0", "p1", "p50", "p95", "p99.9", "p100"}
		made := filled(t, input{GroupBy: []string{"/g"}, Metrics: metrics("/x", ops...)}, docs...)
		check := func(f figures, of []float64) {
			require.Equal(t, len(of), f.Rows)
			for _, op := range ops {
				raw := string(f.Metrics[strings.ReplaceAll(op, ".", "_")])
				got, err := strconv.ParseFloat(raw, 64)
				require.NoError(t, err)
				require.InDelta(t, plain(op, of), got, 1e-6, "%s of %v, seed %d", op, of, seed)
				if whole && op != "avg" {
					require.NotContains(t, raw, ".")
					require.InDelta(t, plain(op, of), got, 0)
				}
				if decimals := strings.SplitN(raw, ".", 2); op != "avg" && len(decimals) == 2 {
					require.LessOrEqual(t, len(decimals[1]), 3, "%s: noise in %s", op, raw)
				}
			}
		}
		check(made.figures(made.all), values[""])
		delete(values, "")
		groups := made.grouped()
		require.Len(t, groups, len(values))
		for i, g := range groups {
			check(g.figures, values[g.Group["/g"].(string)])
			require.True(t, i == 0 || groups[i-1].Rows >= g.Rows)
		}
	}
}

// plain computes a metric the plain way.
func plain(op string, values []float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	total := 0.0
	for _, v := range values {
		total += v
	}
	switch op {
	case "count":
		return float64(len(values))
	case "sum":
		return total
	case "avg":
		return total / float64(len(values))
	case "min":
		return sorted[0]
	case "max":
		return sorted[len(sorted)-1]
	}
	p, err := strconv.ParseFloat(op[1:], 64)
	if err != nil {
		panic(err)
	}
	for _, v := range sorted { // the least that p percent of the values do not exceed
		below := 0
		for _, other := range sorted {
			if other <= v {
				below++
			}
		}
		if float64(below)*100 >= p*float64(len(sorted))-1e-9 {
			return v
		}
	}
	return math.NaN()
}

func TestTopLists(t *testing.T) {
	docs := []string{
		`{"game":"Chess","viewers":5}`, `{"game":"Go","viewers":100}`, `{"game":"Chess","viewers":7}`, `{"game":null,"viewers":1}`,
		`{"game":"Checkers","viewers":2}`, `{"game":"Go"}`, `{"game":"Chess","viewers":"x"}`,
	}
	made := filled(t, input{Top: []top{{As: "often", Field: "/game", K: 2}, {As: "much", Field: "/game", By: "/viewers", K: 3}}}, docs...)
	require.JSONEq(t, `{"rows":7,"top":{
		"often":[{"value":"Chess","count":3},{"value":"Go","count":2}],
		"much":[{"value":"Go","count":1,"sum":100},{"value":"Chess","count":2,"sum":12},{"value":"Checkers","count":1,"sum":2}]}}`, shown(t, made))
	require.Equal(t, 1, made.ignored)
}

// What a value costs in a list hardly grows with how many there are: a run may
// meet as many as it has rows.
func TestAValueOfATopListIsSummedUpOnce(t *testing.T) {
	allocations := func(values int) float64 {
		r := ranking{}
		for i := range values {
			n, err := numberOf(json.Number(fmt.Sprintf("%d.5", i*7919%values)))
			require.NoError(t, err)
			r.add(i, n)
		}
		return testing.AllocsPerRun(1, func() { r.first(10, true) }) / float64(values)
	}
	require.InDelta(t, allocations(100), allocations(3000), 50, "comparing takes some, too")
}

func TestGroups(t *testing.T) {
	made := filled(t, input{GroupBy: []string{"/a/b", "/c"}, Metrics: []metric{{As: "n", Op: "count"}}},
		`{"a":{"b":1},"c":"x"}`, `{"a":{"b":1},"c":"x"}`, `{"a":{"b":"1"},"c":"x"}`, `{"c":["x"]}`, `{"a":7}`)
	raw, err := json.Marshal(made.grouped())
	require.NoError(t, err)
	require.JSONEq(t, `[
		{"group":{"/a/b":1,"/c":"x"},"rows":2,"metrics":{"n":2}},
		{"group":{"/a/b":"1","/c":"x"},"rows":1,"metrics":{"n":1}},
		{"group":{"/a/b":null,"/c":["x"]},"rows":1,"metrics":{"n":1}},
		{"group":{"/a/b":null,"/c":null},"rows":1,"metrics":{"n":1}}]`, string(raw))
}

func TestBounds(t *testing.T) {
	made := newTable(input{GroupBy: []string{"/g"}, Metrics: []metric{{As: "n", Op: "count"}}})
	for i := range maxGroups {
		require.NoError(t, made.add(row{json.Number(strconv.Itoa(i))}))
	}
	require.NoError(t, made.add(row{json.Number("1")}))
	require.EqualError(t, made.add(row{"another"}), "more than 1000 groups; group by something that has fewer values")

	made = newTable(input{Metrics: metrics("/x", "p50"), Top: []top{{As: "much", Field: "/y", By: "/x", K: 1}}})
	for i := range maxRows {
		require.NoError(t, made.add(row{json.Number("1"), json.Number(strconv.Itoa(i % (maxRows / 2)))}))
	}
	require.JSONEq(t, `{"rows":100000,"metrics":{"p50":1},"top":{"much":[{"value":0,"count":2,"sum":2}]}}`, shown(t, made))
	err := made.add(row{json.Number("1"), nil})
	require.EqualError(t, err, "more than 100000 rows; narrow the window or the sources")
	require.True(t, sdk.IsPermanent(err))
}

func TestPointers(t *testing.T) {
	doc, err := decode([]byte(`{"a/b":{"~":[10,{"":"empty"}]},"":{"x":1}}`))
	require.NoError(t, err)
	for pointer, want := range map[string]any{
		"/a~1b/~0/0": json.Number("10"), "/a~1b/~0/1/": "empty", "//x": json.Number("1"), "/a~1b/~0/2": nil, "/a~1b/~0/-1": nil, "/a~1b/~0/00": nil, "/a~1b/~0/0/x": nil, "/no/no": nil, "": doc,
	} {
		require.Equal(t, want, lookup(doc, pointer), pointer)
	}
}
