// Rows of models, tasks and checkpoints. Each function runs inside the caller's transaction; errors as metadata_store.h
// says. Thread safety: that of the database.
#pragma once

#include <string>

#include "core/base/status.h"
#include "core/store/metadata_store.h"
#include "core/store/records.h"

namespace modelpatch::store {

class SqliteDatabase;

absl::Status InsertRow(SqliteDatabase& database, const ModelRecord& model);
absl::Status InsertRow(SqliteDatabase& database, const TaskRecord& task);
absl::Status InsertRow(SqliteDatabase& database, const CheckpointRecord& checkpoint);

absl::StatusOr<ModelRecord> SelectModel(SqliteDatabase& database, const std::string& id);
absl::StatusOr<TaskRecord> SelectTask(SqliteDatabase& database, const std::string& id);
absl::StatusOr<CheckpointRecord> SelectCheckpoint(SqliteDatabase& database, const std::string& id);

absl::StatusOr<Page<ModelRecord>> SelectModels(SqliteDatabase& database, const PageRequest& request);
absl::StatusOr<Page<TaskRecord>> SelectTasks(SqliteDatabase& database, const PageRequest& request);
absl::StatusOr<Page<CheckpointRecord>> SelectCheckpoints(SqliteDatabase& database, const PageRequest& request,
                                                         const std::string& model_id);

// "model", "task", "checkpoint".
std::string KindName(ResourceKind kind);

// NOT_FOUND (MODEL_NOT_FOUND, …) unless the resource is there.
absl::Status CheckExists(SqliteDatabase& database, ResourceKind kind, const std::string& id);

// INVALID_ARGUMENT (BAD_RESOURCE_ID), or ALREADY_EXISTS (MODEL_ALREADY_EXISTS, …) if the resource is there.
absl::Status CheckInsertable(SqliteDatabase& database, ResourceKind kind, const std::string& id);

// FAILED_PRECONDITION (RESOURCE_IN_USE) if something needs it.
absl::Status DeleteRow(SqliteDatabase& database, ResourceKind kind, const std::string& id);

}  // namespace modelpatch::store
