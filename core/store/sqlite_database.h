// SqliteDatabase, SqliteStatement, SqliteTransaction: SQLite's C interface with absl::Status.
//
// Thread safety: none; the owner serialises all use. A statement must not outlive its database.
// Errors: SQLite's codes become DATA_LOSS (METADATA_CORRUPT), RESOURCE_EXHAUSTED (DISK_FULL), ALREADY_EXISTS
// (CONSTRAINT_VIOLATED) for unique keys, FAILED_PRECONDITION (CONSTRAINT_VIOLATED) for other constraints, and
// UNAVAILABLE (METADATA_UNAVAILABLE) for everything else.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>

#include "core/base/clock.h"
#include "core/base/status.h"

struct sqlite3;
struct sqlite3_stmt;

namespace modelpatch::store {

// Binds as a blob where a std::string would bind as text.
struct SqliteBlob {
  std::string_view bytes;
};

// A prepared statement in use; handed back, reset, to its database's cache at the end of its scope.
class SqliteStatement {
 public:
  SqliteStatement(SqliteStatement&& other) noexcept : statement_(std::exchange(other.statement_, nullptr)) {}
  SqliteStatement& operator=(SqliteStatement&&) = delete;
  ~SqliteStatement();

  // Sets parameters ?1, ?2, … in this order. An error shows at the next Step.
  template <typename... Values>
  SqliteStatement& Bind(const Values&... values) {
    int index = 0;
    (BindOne(++index, values), ...);
    return *this;
  }

  // Whether there is a next row, and goes to it.
  absl::StatusOr<bool> Step();
  // For statements that give no rows.
  absl::Status Run();

  // Of the present row.
  int64_t Integer(int column) const;
  double Real(int column) const;
  std::string Text(int column) const;  // text or blob
  base::WallTime Time(int column) const;
  std::optional<base::WallTime> OptionalTime(int column) const;

 private:
  friend class SqliteDatabase;
  explicit SqliteStatement(sqlite3_stmt* statement) : statement_(statement) {}

  void BindOne(int index, int64_t value);
  void BindOne(int index, int value) { BindOne(index, static_cast<int64_t>(value)); }
  void BindOne(int index, bool value) { BindOne(index, static_cast<int64_t>(value)); }
  void BindOne(int index, double value);
  void BindOne(int index, const std::string& value);
  void BindOne(int index, const SqliteBlob& value);
  void BindOne(int index, base::WallTime value);
  void BindOne(int index, const std::optional<base::WallTime>& value);

  sqlite3_stmt* statement_;
  int bind_error_ = 0;
};

class SqliteDatabase {
 public:
  // Opens or creates the file in WAL mode with foreign keys, full durability and a busy timeout, and checks that it is
  // whole.
  static absl::StatusOr<std::unique_ptr<SqliteDatabase>> Open(const std::string& path);
  ~SqliteDatabase();
  SqliteDatabase(const SqliteDatabase&) = delete;
  SqliteDatabase& operator=(const SqliteDatabase&) = delete;

  // `sql` must be one statement; it is prepared once and must not be in use.
  absl::StatusOr<SqliteStatement> Prepare(const std::string& sql);
  // Any number of statements without parameters.
  absl::Status Execute(const std::string& sql);
  // The single integer that `sql` selects.
  absl::StatusOr<int64_t> SelectInteger(const std::string& sql);
  // Rows changed by the last INSERT, UPDATE or DELETE.
  int64_t changes() const;

 private:
  explicit SqliteDatabase(sqlite3* handle) : handle_(handle) {}

  sqlite3* handle_;
  std::unordered_map<std::string, sqlite3_stmt*> statements_;
};

// Rolled back at the end of its scope unless committed.
class SqliteTransaction {
 public:
  static absl::StatusOr<SqliteTransaction> Begin(SqliteDatabase& database);
  SqliteTransaction(SqliteTransaction&& other) noexcept : database_(std::exchange(other.database_, nullptr)) {}
  SqliteTransaction& operator=(SqliteTransaction&&) = delete;
  ~SqliteTransaction();
  absl::Status Commit();

 private:
  explicit SqliteTransaction(SqliteDatabase* database) : database_(database) {}
  SqliteDatabase* database_;
};

}  // namespace modelpatch::store
