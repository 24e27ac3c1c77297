// Logger: structured log lines, `message key=value …`.
//
// Thread safety: implementations are thread-safe. Passed by reference from the composition root; NullLogger() for none.
#pragma once

#include <initializer_list>
#include <memory>
#include <string>
#include <string_view>

namespace modelpatch::base {

enum class Severity { kDebug, kInfo, kWarning, kError };

struct LogField {
  std::string_view key;
  std::string value;
};

class Logger {
 public:
  virtual ~Logger() = default;
  virtual void Write(Severity severity, std::string_view message, std::initializer_list<LogField> fields) = 0;

  void Debug(std::string_view message, std::initializer_list<LogField> fields = {}) {
    Write(Severity::kDebug, message, fields);
  }
  void Info(std::string_view message, std::initializer_list<LogField> fields = {}) {
    Write(Severity::kInfo, message, fields);
  }
  void Warning(std::string_view message, std::initializer_list<LogField> fields = {}) {
    Write(Severity::kWarning, message, fields);
  }
  void Error(std::string_view message, std::initializer_list<LogField> fields = {}) {
    Write(Severity::kError, message, fields);
  }
};

enum class LogFormat { kText, kJson };

// Lines on standard error; `minimum` and worse are written. Text for people, JSON (one object a line) for machines.
std::unique_ptr<Logger> MakeStderrLogger(LogFormat format, Severity minimum);

// Writes nothing.
std::unique_ptr<Logger> MakeNullLogger();

}  // namespace modelpatch::base
