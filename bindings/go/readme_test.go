package haigha_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// The README's first program does what it says, by the commands that it tells.
func TestReadme(t *testing.T) {
	if testing.Short() {
		t.Skip("it is built by itself")
	}
	e := realEnv(t)
	readme, err := os.ReadFile("README.md")
	check(t, err)
	_, after, _ := strings.Cut(string(readme), "```go\n")
	program, _, found := strings.Cut(after, "```")
	if !found || strings.Count(program, `"amqp://localhost"`) != 1 {
		t.Fatal("there is no program")
	}
	program = strings.Replace(program, `"amqp://localhost"`, `"`+e.uri+`"`, 1)
	folder := t.TempDir()
	check(t, os.WriteFile(filepath.Join(folder, "main.go"), []byte(program), 0o600))
	here, err := os.Getwd()
	check(t, err)
	commands := 0
	for _, line := range strings.Split(string(readme), "\n") {
		words := strings.Fields(strings.Replace(line, "/path/to/libhaigha/bindings/go", here, 1))
		if !strings.HasPrefix(line, "    go ") {
			continue
		}
		command := exec.CommandContext(e.ctx, words[0], words[1:]...)
		command.Dir = folder
		command.Env = append(os.Environ(), "GOFLAGS=-p=2")
		said, err := command.CombinedOutput()
		if err != nil {
			t.Fatalf("%s: %v\n%s", line, err, said)
		}
		if words[1] == "run" {
			equal(t, string(said), "received hello\n")
		}
		commands++
	}
	equal(t, commands, 3)
}
