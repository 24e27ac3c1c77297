#include "client/cli/arguments.h"

#include <cerrno>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <system_error>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "client/status_macros.h"

namespace modelpatch::client {
namespace {

constexpr int kMaximumAlphas = 1001;
constexpr uintmax_t kMaximumFileBytes = uintmax_t{64} << 20;

absl::StatusOr<double> ParseNumber(const std::string& text, const std::string& whole) {
  double value = 0;
  if (!absl::SimpleAtod(text, &value) || !std::isfinite(value)) {
    return absl::InvalidArgumentError(absl::StrCat("'", text, "' in '", whole, "' is not a finite number"));
  }
  return value;
}

double Rounded(double value) { return std::round(value * 1e12) / 1e12; }

}  // namespace

absl::StatusOr<std::vector<double>> ParseAlphas(const std::string& text) {
  std::vector<double> result;
  const bool is_range = text.find(':') != std::string::npos;
  std::vector<double> numbers;
  for (const std::string& part : std::vector<std::string>(absl::StrSplit(text, is_range ? ':' : ','))) {
    CLIENT_ASSIGN_OR_RETURN(const double number, ParseNumber(part, text));
    numbers.push_back(number);
  }
  if (is_range) {
    if (numbers.size() != 3 || numbers[2] <= 0 || numbers[1] < numbers[0]) {
      return absl::InvalidArgumentError(
          absl::StrCat("'", text, "' is not a range FROM:TO:STEP with FROM <= TO and STEP > 0, such as 0:1:0.05"));
    }
    const double steps = std::floor((numbers[1] - numbers[0]) / numbers[2] + 1e-9);
    if (!(steps < kMaximumAlphas)) {
      return absl::InvalidArgumentError(absl::StrCat("'", text, "' has more than ", kMaximumAlphas, " values"));
    }
    for (int i = 0; i <= static_cast<int>(steps); ++i) result.push_back(Rounded(numbers[0] + i * numbers[2]));
    return result;
  }
  if (numbers.size() > kMaximumAlphas) {
    return absl::InvalidArgumentError(absl::StrCat(numbers.size(), " values of α are more than ", kMaximumAlphas));
  }
  return numbers;
}

absl::StatusOr<v1::MixtureTerm> ParseTerm(const std::string& text) {
  const size_t equals = text.rfind('=');
  if (equals == std::string::npos || equals == 0) {
    return absl::InvalidArgumentError(absl::StrCat("'", text, "' is not a term CHECKPOINT=α, such as my-digits=0.5"));
  }
  v1::MixtureTerm term;
  CLIENT_ASSIGN_OR_RETURN(const double coefficient, ParseNumber(text.substr(equals + 1), text));
  term.set_checkpoint(ResourceName("checkpoints", text.substr(0, equals)));
  term.set_coefficient(coefficient);
  return term;
}

absl::StatusOr<v1::TaskBudget> ParseBudget(const std::string& text) {
  const size_t equals = text.rfind('=');
  if (equals == std::string::npos || equals == 0) {
    return absl::InvalidArgumentError(absl::StrCat("'", text, "' is not a budget TASK=POINTS, such as imagenet=0.5"));
  }
  v1::TaskBudget budget;
  CLIENT_ASSIGN_OR_RETURN(const double points, ParseNumber(text.substr(equals + 1), text));
  budget.set_task(ResourceName("tasks", text.substr(0, equals)));
  budget.set_epsilon_points(points);
  return budget;
}

absl::StatusOr<v1::ClassPartition> ParseClassPart(const std::string& text) {
  const std::vector<std::string> numbers = absl::StrSplit(text, '/');
  int32_t part = 0;
  int32_t parts = 0;
  if (numbers.size() != 2 || !absl::SimpleAtoi(numbers[0], &part) || !absl::SimpleAtoi(numbers[1], &parts)) {
    return absl::InvalidArgumentError(
        absl::StrCat("'", text, "' is not a part of the classes PART/PARTS, such as 0/2"));
  }
  v1::ClassPartition partition;
  partition.set_part(part);
  partition.set_parts(parts);
  return partition;
}

std::string ResourceName(const std::string& collection, const std::string& id) {
  return id.find('/') == std::string::npos ? absl::StrCat(collection, "/", id) : id;
}

std::string ShortName(const std::string& name) { return name.substr(name.rfind('/') + 1); }

absl::StatusOr<std::string> ReadFile(const std::string& path) {
  std::error_code error;
  const auto size = std::filesystem::file_size(path, error);
  if (error) return absl::InvalidArgumentError(absl::StrCat("cannot read ", path, ": ", error.message()));
  if (size > kMaximumFileBytes) {
    return absl::InvalidArgumentError(absl::StrCat(path, " has ", size, " bytes; a request may have at most 64 MiB"));
  }
  std::ifstream file(path, std::ios::binary);
  std::string content(static_cast<size_t>(size), '\0');
  if (!file.read(content.data(), static_cast<std::streamsize>(size))) {
    return absl::InvalidArgumentError(absl::StrCat("cannot read ", path, ": ", std::strerror(errno)));
  }
  return content;
}

}  // namespace modelpatch::client
