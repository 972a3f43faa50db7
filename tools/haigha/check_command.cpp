// haigha check: what a broker is, what it supports, and whether everything comes back as it was
// sent.
#include <algorithm>
#include <cstdio>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "check_probes.h"
#include "check_report.h"
#include "command_line.h"
#include "commands.h"
#include "interruption.h"
#include "progress.h"
#include "session.h"
#include "terminal.h"

namespace tool {

namespace {

struct CheckOptions {
    BrokerOptions broker;
    ProgressWish progress;
};

class CheckRun {
  public:
    explicit CheckRun(const CheckOptions& options)
        : options_(options.broker),
          // On a terminal the results are the progress.
          progress_(options.progress, !is_terminal(stdout)),
          loop_(options.broker) {
        char prefix[40];
        std::snprintf(prefix, sizeof prefix, "haigha-check-%08x", std::random_device()());
        prefix_ = prefix;
    }

    ExitStatus run() {
        describe_broker();
        describe_connection();
        const std::vector<std::pair<const char*, std::vector<Probe>>> groups = {
            {"Field tables, there and back", table_probes()},
            {"Messages, there and back", property_probes(options_.user())},
            {"Publishing", publishing_probes()},
            {"Consuming", consuming_probes()},
            {"Exchanges and queues", topology_probes()}};
        for (const auto& [title, probes] : groups)
            all_probes_ += probes.size();
        for (const auto& [title, probes] : groups)
            try_all(title, probes);
        progress_.finish({{"tried", probes_}});
        if (shared_ && shared_->is_open()) shared_->close();
        if (interrupted()) return exit_interrupted;
        return report_.conclude() ? exit_ok : exit_failed;
    }

  private:
    // The connection of the probes that do not need their own; a new one when that has ended.
    Session& shared() {
        if (!shared_ || !shared_->is_open()) shared_.emplace(loop_, options_, "haigha check");
        return *shared_;
    }

    void describe_broker() {
        TableHandle properties;
        ErrorSlot error;
        require(haigha_connection_server_properties(shared().connection(), out(properties), error),
                error);
        report_.section("Broker");
        report_.note("address", options_.address());
        haigha_cursor cursor;
        haigha_field field;
        for (const std::string_view name : {"product", "version", "platform", "cluster_name"}) {
            require(haigha_table_cursor(properties.get(), &cursor), error);
            while (haigha_cursor_next(&cursor, &field) == 1) {
                if (to_view(field.name) != name || field.type != HAIGHA_FIELD_STRING) continue;
                report_.note(std::string(name), std::string(to_view(field.bytes)));
            }
        }
        require(haigha_table_cursor(properties.get(), &cursor), error);
        while (haigha_cursor_next(&cursor, &field) == 1) {
            haigha_cursor capabilities;
            if (to_view(field.name) != "capabilities") continue;
            if (haigha_cursor_enter(&cursor, &field, &capabilities) != HAIGHA_OK) continue;
            describe_capabilities(capabilities);
        }
    }

    void describe_capabilities(haigha_cursor capabilities) {
        report_.section("Capabilities that it announces");
        haigha_field field;
        while (haigha_cursor_next(&capabilities, &field) == 1) {
            const std::string name(to_view(field.name));
            if (field.type == HAIGHA_FIELD_BOOL && field.integer != 0) {
                report_.ok(name);
            } else {
                report_.no(name);
            }
        }
    }

    void describe_connection() {
        report_.section("Negotiated");
        const auto note = [this](const char* name, const char* info, const char* unit) {
            const std::int64_t value = shared().info(info);
            const std::string text =
                grouped(static_cast<std::uint64_t>(std::max<std::int64_t>(value, 0)));
            report_.note(name, value == 0 ? "none" : text + unit);
        };
        note("frame_max", "frame_max", " bytes");
        note("channel_max", "channel_max", "");
        note("heartbeat", "heartbeat", " s");
    }

    void try_all(const char* title, const std::vector<Probe>& probes) {
        if (interrupted()) return;
        report_.section(title);
        for (const Probe& probe : probes) {
            if (!interrupted()) try_one(probe);
        }
    }

    void try_one(const Probe& probe) {
        const std::string prefix = prefix_ + "-" + std::to_string(++probes_);
        if (progress_.is_due()) {
            const auto part = static_cast<double>(probes_) / static_cast<double>(all_probes_);
            progress_.show({{"tried", probes_}}, part, probe.name);
        }
        try {
            std::optional<Session> own;
            if (probe.own_connection) own.emplace(loop_, options_, "haigha check");
            Session& session = own ? *own : shared();
            std::string detail;
            {
                ProbeScope scope(session, prefix);
                detail = probe.run(scope);
            }
            if (own) own->close();
            report_.ok(probe.name, detail);
        } catch (const Failure& failure) {
            if (failure.exit_status() == exit_unreachable) throw;
            if (probe.required) {
                report_.fail(probe.name, failure.what());
            } else {
                report_.no(probe.name, failure.what());
            }
        }
    }

    const BrokerOptions& options_;
    Progress progress_;
    Loop loop_;
    std::optional<Session> shared_;
    CheckReport report_;
    std::string prefix_;
    std::uint64_t probes_ = 0;
    std::uint64_t all_probes_ = 0;
};

}  // namespace

void add_check_command(CLI::App& app, Run& run) {
    CLI::App* const command =
        app.add_subcommand("check", "Show what a broker is and supports, and test every type");
    const auto options = std::make_shared<CheckOptions>();
    add_progress_option(*command, options->progress);
    add_broker_options(*command, options->broker);
    set_examples(
        *command,
        "  haigha check --uri amqp://guest:guest@localhost\n\n"
        "Sends every field-table type and every property through the broker and compares\n"
        "what comes back. A line each: ok; no: the broker does not have it, and need not;\n"
        "FAIL: something that must work does not. Everything happens in exclusive or\n"
        "temporary queues and exchanges named haigha-check-*.\n"
        "Exit status: 0 nothing failed; 1 something did.");
    command->callback([options, &run] {
        run = [options] {
            set_locale();
            return CheckRun(*options).run();
        };
    });
}

}  // namespace tool
