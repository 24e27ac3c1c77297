#include "core/store/sqlite_database.h"

#include <fmt/format.h>
#include <sqlite3.h>

#include <chrono>

namespace modelpatch::store {
namespace {

constexpr int kBusyTimeoutMilliseconds = 5000;

absl::Status SqliteError(int code, const char* message) {
  const std::string text = fmt::format("metadata database: {} ({})", message, sqlite3_errstr(code));
  switch (code & 0xff) {
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
      return base::DataLoss("METADATA_CORRUPT", text + "; restore it from a backup");
    case SQLITE_FULL:
      return base::ResourceExhausted("DISK_FULL", text + "; free some space");
    case SQLITE_CONSTRAINT:
      return code == SQLITE_CONSTRAINT_UNIQUE || code == SQLITE_CONSTRAINT_PRIMARYKEY
                 ? base::AlreadyExists("CONSTRAINT_VIOLATED", text)
                 : base::FailedPrecondition("CONSTRAINT_VIOLATED", text);
    default:
      return base::Unavailable("METADATA_UNAVAILABLE", text);
  }
}

absl::Status SqliteError(sqlite3* handle) {
  return SqliteError(sqlite3_extended_errcode(handle), sqlite3_errmsg(handle));
}

}  // namespace

SqliteStatement::~SqliteStatement() {
  if (statement_ == nullptr) return;
  sqlite3_reset(statement_);
  sqlite3_clear_bindings(statement_);
}

absl::StatusOr<bool> SqliteStatement::Step() {
  if (bind_error_ != 0) return SqliteError(bind_error_, "cannot bind a parameter");
  const int code = sqlite3_step(statement_);
  if (code == SQLITE_ROW) return true;
  if (code == SQLITE_DONE) return false;
  return SqliteError(sqlite3_db_handle(statement_));
}

absl::Status SqliteStatement::Run() { return Step().status(); }

int64_t SqliteStatement::Integer(int column) const { return sqlite3_column_int64(statement_, column); }

std::string SqliteStatement::Text(int column) const {
  const void* data = sqlite3_column_blob(statement_, column);
  const int size = sqlite3_column_bytes(statement_, column);
  return data == nullptr ? std::string() : std::string(static_cast<const char*>(data), static_cast<size_t>(size));
}

double SqliteStatement::Real(int column) const { return sqlite3_column_double(statement_, column); }

base::WallTime SqliteStatement::Time(int column) const {
  return base::WallTime(std::chrono::microseconds(Integer(column)));
}

std::optional<base::WallTime> SqliteStatement::OptionalTime(int column) const {
  if (sqlite3_column_type(statement_, column) == SQLITE_NULL) return std::nullopt;
  return Time(column);
}

void SqliteStatement::BindOne(int index, int64_t value) { bind_error_ |= sqlite3_bind_int64(statement_, index, value); }

void SqliteStatement::BindOne(int index, double value) { bind_error_ |= sqlite3_bind_double(statement_, index, value); }

void SqliteStatement::BindOne(int index, const std::string& value) {
  bind_error_ |= sqlite3_bind_text64(statement_, index, value.data(), value.size(), SQLITE_TRANSIENT, SQLITE_UTF8);
}

void SqliteStatement::BindOne(int index, const SqliteBlob& value) {
  // A null pointer would bind NULL.
  const char* data = value.bytes.empty() ? "" : value.bytes.data();
  bind_error_ |= sqlite3_bind_blob64(statement_, index, data, value.bytes.size(), SQLITE_TRANSIENT);
}

void SqliteStatement::BindOne(int index, base::WallTime value) {
  BindOne(index, static_cast<int64_t>(value.time_since_epoch().count()));
}

void SqliteStatement::BindOne(int index, const std::optional<base::WallTime>& value) {
  if (value.has_value()) {
    BindOne(index, *value);
  } else {
    bind_error_ |= sqlite3_bind_null(statement_, index);
  }
}

absl::StatusOr<std::unique_ptr<SqliteDatabase>> SqliteDatabase::Open(const std::string& path) {
  sqlite3* handle = nullptr;
  const int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE;
  const int code = sqlite3_open_v2(path.c_str(), &handle, flags, nullptr);
  if (handle == nullptr) return base::ResourceExhausted("OUT_OF_MEMORY", "no memory for the metadata database");
  std::unique_ptr<SqliteDatabase> database(new SqliteDatabase(handle));
  if (code != SQLITE_OK) return base::WithContext(SqliteError(handle), fmt::format("cannot open '{}'", path));
  sqlite3_busy_timeout(handle, kBusyTimeoutMilliseconds);
  for (const char* pragma : {"PRAGMA journal_mode = WAL", "PRAGMA synchronous = FULL", "PRAGMA foreign_keys = ON",
                             "PRAGMA trusted_schema = OFF"}) {
    if (absl::Status status = database->Execute(pragma); !status.ok()) {
      return base::WithContext(status, fmt::format("cannot open '{}'", path));
    }
  }
  {
    MP_ASSIGN_OR_RETURN(SqliteStatement check, database->Prepare("PRAGMA quick_check(1)"));
    MP_ASSIGN_OR_RETURN(const bool row, check.Step());
    const std::string verdict = row ? check.Text(0) : "no answer";
    if (verdict != "ok") {
      return base::DataLoss("METADATA_CORRUPT",
                            fmt::format("the metadata database '{}' is damaged: {}; restore it from a "
                                        "backup",
                                        path, verdict));
    }
  }
  return database;
}

SqliteDatabase::~SqliteDatabase() {
  for (const auto& [sql, statement] : statements_) sqlite3_finalize(statement);
  sqlite3_close_v2(handle_);
}

absl::StatusOr<SqliteStatement> SqliteDatabase::Prepare(const std::string& sql) {
  auto found = statements_.find(sql);
  if (found == statements_.end()) {
    sqlite3_stmt* statement = nullptr;
    const int size = static_cast<int>(sql.size()) + 1;
    if (sqlite3_prepare_v3(handle_, sql.c_str(), size, SQLITE_PREPARE_PERSISTENT, &statement, nullptr) != SQLITE_OK) {
      return SqliteError(handle_);
    }
    found = statements_.emplace(sql, statement).first;
  }
  return SqliteStatement(found->second);
}

absl::Status SqliteDatabase::Execute(const std::string& sql) {
  if (sqlite3_exec(handle_, sql.c_str(), nullptr, nullptr, nullptr) == SQLITE_OK) return absl::OkStatus();
  return SqliteError(handle_);
}

absl::StatusOr<int64_t> SqliteDatabase::SelectInteger(const std::string& sql) {
  MP_ASSIGN_OR_RETURN(SqliteStatement statement, Prepare(sql));
  MP_ASSIGN_OR_RETURN(const bool row, statement.Step());
  return row ? statement.Integer(0) : 0;
}

int64_t SqliteDatabase::changes() const { return sqlite3_changes64(handle_); }

absl::StatusOr<SqliteTransaction> SqliteTransaction::Begin(SqliteDatabase& database) {
  // IMMEDIATE: the write lock is taken now, not at the first write, where it could no longer be waited for.
  MP_RETURN_IF_ERROR(database.Execute("BEGIN IMMEDIATE"));
  return SqliteTransaction(&database);
}

SqliteTransaction::~SqliteTransaction() {
  // SQLite has already rolled back after some errors; then this fails, which changes nothing.
  if (database_ != nullptr) database_->Execute("ROLLBACK").IgnoreError();
}

absl::Status SqliteTransaction::Commit() {
  MP_RETURN_IF_ERROR(database_->Execute("COMMIT"));
  database_ = nullptr;
  return absl::OkStatus();
}

}  // namespace modelpatch::store
