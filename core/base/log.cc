#include "core/base/log.h"

#include <spdlog/sinks/stdout_color_sinks.h>
#include <spdlog/spdlog.h>

#include <nlohmann/json.hpp>

namespace modelpatch::base {
namespace {

spdlog::level::level_enum LevelOf(Severity severity) {
  switch (severity) {
    case Severity::kDebug:
      return spdlog::level::debug;
    case Severity::kInfo:
      return spdlog::level::info;
    case Severity::kWarning:
      return spdlog::level::warn;
    case Severity::kError:
      return spdlog::level::err;
  }
  return spdlog::level::err;
}

std::string TextLine(std::string_view message, std::initializer_list<LogField> fields) {
  std::string line(message);
  for (const LogField& field : fields) {
    line.append(" ").append(field.key).append("=");
    const bool quote = field.value.empty() || field.value.find_first_of(" \"\n\t") != std::string::npos;
    line += quote ? nlohmann::json(field.value).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace)
                  : field.value;
  }
  return line;
}

// The part of the JSON object after time and level, which spdlog's pattern writes.
std::string JsonLine(std::string_view message, std::initializer_list<LogField> fields) {
  nlohmann::ordered_json object;
  object["message"] = message;
  for (const LogField& field : fields) object[std::string(field.key)] = field.value;
  return object.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace).substr(1);
}

class SpdlogLogger final : public Logger {
 public:
  SpdlogLogger(LogFormat format, Severity minimum)
      : format_(format), logger_("modelpatch", std::make_shared<spdlog::sinks::stderr_color_sink_mt>()) {
    logger_.set_level(LevelOf(minimum));
    logger_.flush_on(spdlog::level::info);
    if (format_ == LogFormat::kJson) {
      logger_.set_pattern(R"({"time":"%Y-%m-%dT%H:%M:%S.%fZ","severity":"%l",%v)", spdlog::pattern_time_type::utc);
    } else {
      logger_.set_pattern("%Y-%m-%dT%H:%M:%S.%eZ %^%-7l%$ %v", spdlog::pattern_time_type::utc);
    }
  }

  void Write(Severity severity, std::string_view message, std::initializer_list<LogField> fields) override {
    const auto level = LevelOf(severity);
    if (!logger_.should_log(level)) return;
    const std::string line = format_ == LogFormat::kJson ? JsonLine(message, fields) : TextLine(message, fields);
    logger_.log(level, spdlog::string_view_t(line.data(), line.size()));
  }

 private:
  const LogFormat format_;
  spdlog::logger logger_;
};

class NullLogger final : public Logger {
 public:
  void Write(Severity, std::string_view, std::initializer_list<LogField>) override {}
};

}  // namespace

std::unique_ptr<Logger> MakeStderrLogger(LogFormat format, Severity minimum) {
  return std::make_unique<SpdlogLogger>(format, minimum);
}

std::unique_ptr<Logger> MakeNullLogger() { return std::make_unique<NullLogger>(); }

}  // namespace modelpatch::base
