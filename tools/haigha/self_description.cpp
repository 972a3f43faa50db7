#include "self_description.h"

#include <algorithm>
#include <sstream>
#include <vector>

namespace tool {

namespace {

std::vector<const CLI::App*> commands_of(const CLI::App& app) {
    return app.get_subcommands([](const CLI::App* one) { return !one->get_name().empty(); });
}

// "-q --queue", as they are typed.
std::vector<std::string> names_of(const CLI::Option& option) {
    std::vector<std::string> names;
    for (const std::string& name : option.get_snames())
        names.push_back("-" + name);
    for (const std::string& name : option.get_lnames())
        names.push_back("--" + name);
    return names;
}

std::vector<const CLI::Option*> options_of(const CLI::App& app) {
    return app.get_options([](const CLI::Option* one) { return one->nonpositional(); });
}

// What can follow the option, where its text names all of it: "line|raw|json".
std::string words_of(const CLI::Option& option) {
    std::string text = option.get_option_text();
    if (text.find('|') == std::string::npos) return {};
    std::replace(text.begin(), text.end(), '|', ' ');
    return text;
}

bool takes_file(const CLI::Option& option) {
    return option.get_option_text() == "FILE";
}

std::string bash_words(const CLI::App& app) {
    std::string words;
    for (const CLI::App* const command : commands_of(app))
        words += command->get_name() + " ";
    for (const CLI::Option* const option : options_of(app)) {
        for (const std::string& name : names_of(*option))
            words += name + " ";
    }
    if (!words.empty()) words.pop_back();
    return words;
}

// The case arms of an app and of those below it; `path`: their names, "queue declare".
void bash_arms(std::ostringstream& script, const CLI::App& app, const std::string& path) {
    script << "    '" << path << "') words='" << bash_words(app) << "' ;;\n";
    for (const CLI::App* const command : commands_of(app))
        bash_arms(script, *command,
                  path.empty() ? command->get_name() : path + " " + command->get_name());
}

void bash_values(std::ostringstream& script, const CLI::App& app, std::vector<std::string>& seen) {
    for (const CLI::Option* const option : options_of(app)) {
        const std::string words = words_of(*option);
        if (words.empty() && !takes_file(*option)) continue;
        for (const std::string& name : names_of(*option)) {
            if (std::find(seen.begin(), seen.end(), name) != seen.end()) continue;
            seen.push_back(name);
            script << "    " << name << ") "
                   << (words.empty() ? "COMPREPLY=($(compgen -f -- \"$word\"))"
                                     : "COMPREPLY=($(compgen -W '" + words + "' -- \"$word\"))")
                   << "; return ;;\n";
        }
    }
    for (const CLI::App* const command : commands_of(app))
        bash_values(script, *command, seen);
}

std::string names_pattern(const CLI::App& app) {
    std::vector<std::string> names;
    const auto add = [&names](const auto& self, const CLI::App& of) -> void {
        for (const CLI::App* const command : commands_of(of)) {
            if (std::find(names.begin(), names.end(), command->get_name()) == names.end()) {
                names.push_back(command->get_name());
            }
            self(self, *command);
        }
    };
    add(add, app);
    std::string pattern;
    for (const std::string& name : names)
        pattern += (pattern.empty() ? "" : " | ") + name;
    return pattern;
}

std::string bash_script(const CLI::App& app) {
    std::ostringstream script;
    std::vector<std::string> seen;
    script << "_haigha() {\n"
              "    local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD-1]}\n"
              "    local path='' words='' i\n"
              "    case $before in\n";
    bash_values(script, app, seen);
    script << "    esac\n"
              "    for ((i = 1; i < COMP_CWORD; i++)); do\n"
              "        case ${COMP_WORDS[i]} in\n"
              "        "
           << names_pattern(app)
           << ") path=${path:+$path }${COMP_WORDS[i]} ;;\n"
              "        esac\n"
              "    done\n"
              "    case $path in\n";
    bash_arms(script, app, "");
    script << "    esac\n"
              "    COMPREPLY=($(compgen -W \"$words\" -- \"$word\"))\n"
              "}\n"
              "complete -F _haigha haigha\n";
    return script.str();
}

std::string first_line(const std::string& text) {
    std::string line = text.substr(0, text.find('\n'));
    line.erase(std::remove(line.begin(), line.end(), '\''), line.end());
    return line;
}

void fish_lines(std::ostringstream& script, const CLI::App& app, const std::string& condition) {
    for (const CLI::App* const command : commands_of(app)) {
        script << "complete -c haigha -f" << condition << " -a " << command->get_name() << " -d '"
               << first_line(command->get_description()) << "'\n";
        fish_lines(script, *command,
                   " -n '__fish_seen_subcommand_from " + command->get_name() + "'");
    }
    for (const CLI::Option* const option : options_of(app)) {
        script << "complete -c haigha" << condition;
        for (const std::string& name : option->get_snames())
            script << " -s " << name;
        for (const std::string& name : option->get_lnames())
            script << " -l " << name;
        const std::string words = words_of(*option);
        if (!words.empty()) script << " -x -a '" << words << "'";
        if (takes_file(*option)) script << " -r -F";
        script << " -d '" << first_line(option->get_description()) << "'\n";
    }
}

std::string roff(const std::string& text) {
    std::string escaped;
    for (const char c : text) {
        if (c == '\\') {
            escaped += "\\e";
        } else if (c == '-') {
            escaped += "\\-";
        } else {
            // A line that begins with either would be a request.
            if ((c == '.' || c == '\'') && (escaped.empty() || escaped.back() == '\n')) {
                escaped += "\\&";
            }
            escaped += c;
        }
    }
    return escaped;
}

void manual_options(std::ostringstream& page, const CLI::App& app) {
    for (const CLI::Option* const option : options_of(app)) {
        page << ".TP\n\\fB";
        bool first = true;
        for (const std::string& name : names_of(*option)) {
            page << (first ? "" : ", ") << roff(name);
            first = false;
        }
        page << "\\fR";
        const std::string text = option->get_option_text();
        if (!text.empty() && text != " ") page << " \\fI" << roff(text) << "\\fR";
        page << '\n' << roff(option->get_description()) << '\n';
    }
}

void manual_command(std::ostringstream& page, const CLI::App& app, const std::string& path) {
    for (const CLI::App* const command : commands_of(app)) {
        const std::string name = path + " " + command->get_name();
        page << ".SS " << roff(name) << '\n' << roff(command->get_description()) << ".\n";
        manual_options(page, *command);
        if (!command->get_footer().empty()) {
            page << ".PP\n.nf\n" << roff(command->get_footer()) << "\n.fi\n";
        }
        manual_command(page, *command, name);
    }
}

}  // namespace

std::string completion_script(const CLI::App& app, const std::string& shell) {
    if (shell == "bash") return bash_script(app);
    if (shell == "zsh") {
        return "#compdef haigha\nautoload -U +X bashcompinit && bashcompinit\n" + bash_script(app);
    }
    if (shell != "fish") return {};
    std::ostringstream script;
    fish_lines(script, app, "");
    return script.str();
}

std::string manual_page(const CLI::App& app, const std::string& version) {
    std::ostringstream page;
    page << ".TH HAIGHA 1 \"\" \"" << roff(version) << "\"\n"
         << ".SH NAME\nhaigha \\- talks to an AMQP 0\\-9\\-1 broker, such as RabbitMQ\n"
         << ".SH SYNOPSIS\n.B haigha\n\\fICOMMAND\\fR [\\fIOPTION\\fR]...\n"
         << ".SH COMMANDS\n";
    manual_command(page, app, "haigha");
    page << ".SH NOTES\n.nf\n" << roff(app.get_footer()) << "\n.fi\n";
    return page.str();
}

}  // namespace tool
