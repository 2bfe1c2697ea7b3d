// The health check for Argo CD, run as Argo CD runs it: by gopher-lua, with the object as the global obj, a second of
// time, and none of the libraries that reach outside. Decides nothing.

package main

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	lua "github.com/yuin/gopher-lua"
	"github.com/yuin/gopher-lua/parse"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

const timeLimit = time.Second

// statuses are those that Argo CD knows; any other is an error to it.
var statuses = []string{"Healthy", "Progressing", "Degraded", "Suspended", "Missing", "Unknown"}

// healthCheck is a script that was read once.
type healthCheck struct{ script *lua.FunctionProto }

// health is what it says of an object.
type health struct{ status, message string }

func loadHealthCheck(path string) (*healthCheck, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	return parseHealthCheck(path, string(text))
}

func parseHealthCheck(name, text string) (*healthCheck, error) {
	chunk, err := parse.Parse(strings.NewReader(text), name)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	script, err := lua.Compile(chunk, name)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return &healthCheck{script}, nil
}

func (c *healthCheck) run(object *unstructured.Unstructured) (health, error) {
	state := lua.NewState(lua.Options{SkipOpenLibs: true})
	defer state.Close()
	for _, open := range []lua.LGFunction{lua.OpenBase, lua.OpenTable, lua.OpenString} {
		open(state)
	}
	ctx, cancel := context.WithTimeout(context.Background(), timeLimit)
	defer cancel()
	state.SetContext(ctx)
	state.SetGlobal("obj", luaValue(state, object.Object))
	state.Push(state.NewFunctionFromProto(c.script))
	if err := state.PCall(0, 1, nil); err != nil {
		return health{}, err
	}
	returned, isTable := state.Get(-1).(*lua.LTable)
	if !isTable {
		return health{}, fmt.Errorf("it returns a %s, not a table", state.Get(-1).Type())
	}
	h := health{status: fieldOf(returned, "status"), message: fieldOf(returned, "message")}
	if !slices.Contains(statuses, h.status) {
		return h, fmt.Errorf("%q is no status that Argo CD knows", h.status)
	}
	return h, nil
}

// fieldOf is the text of a field; empty for anything else.
func fieldOf(table *lua.LTable, name string) string {
	text, _ := table.RawGetString(name).(lua.LString)
	return string(text)
}

// luaValue makes Lua's own of what JSON can hold.
func luaValue(state *lua.LState, value any) lua.LValue {
	switch value := value.(type) {
	case string:
		return lua.LString(value)
	case bool:
		return lua.LBool(value)
	case int64:
		return lua.LNumber(value)
	case float64:
		return lua.LNumber(value)
	case []any:
		list := state.NewTable()
		for _, each := range value {
			list.Append(luaValue(state, each))
		}
		return list
	case map[string]any:
		table := state.NewTable()
		for name, each := range value {
			table.RawSetString(name, luaValue(state, each))
		}
		return table
	default:
		return lua.LNil
	}
}
