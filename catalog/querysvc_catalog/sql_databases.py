"""Data catalogs, databases and functions in SQL."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from sqlalchemy import delete, func, insert, select, update
from sqlalchemy.exc import IntegrityError

from querysvc_catalog import identity
from querysvc_catalog import tables as schema
from querysvc_catalog.documents import dump, load_data_catalog, load_database, load_function
from querysvc_catalog.errors import (
    AlreadyExistsError,
    EntityKind,
    EntityNotFoundError,
    InvalidInputError,
)
from querysvc_catalog.model import Database, DatabaseName, DataCatalog, UserDefinedFunction
from querysvc_catalog.paging import Page
from querysvc_catalog.sql_store import SqlStore, is_database, list_by_name, map_page

_catalogs = schema.data_catalogs
_databases = schema.databases
_tables = schema.tables
_functions = schema.functions


class SqlDatabases(SqlStore):
    """The part of the SQL store above tables."""

    def create_data_catalog(self, catalog: DataCatalog) -> None:
        """Add a data catalog."""
        try:
            with self._engine.begin() as connection:
                connection.execute(
                    insert(_catalogs).values(name=catalog.name, document=dump(catalog))
                )
        except IntegrityError as error:
            raise AlreadyExistsError(EntityKind.DATA_CATALOG, catalog.name) from error

    def get_data_catalog(self, name: str) -> DataCatalog:
        """Give a data catalog."""
        with self._engine.connect() as connection:
            query = select(_catalogs.c.document).where(_catalogs.c.name == name)
            text = connection.execute(query).scalar()
        if text is None:
            raise EntityNotFoundError(EntityKind.DATA_CATALOG, name)
        return load_data_catalog(text)

    def list_data_catalogs(self, *, page_size: int, token: str | None) -> Page[DataCatalog]:
        """List the data catalogs."""
        with self._engine.connect() as connection:
            page = list_by_name(
                connection,
                "catalogs",
                select(_catalogs),
                _catalogs.c.name,
                page_size=page_size,
                token=token,
            )
        return map_page(page, lambda row: load_data_catalog(row.document))

    def update_data_catalog(self, catalog: DataCatalog) -> None:
        """Replace a data catalog."""
        with self._engine.begin() as connection:
            result = connection.execute(
                update(_catalogs)
                .where(_catalogs.c.name == catalog.name)
                .values(document=dump(catalog))
            )
            if not result.rowcount:
                raise EntityNotFoundError(EntityKind.DATA_CATALOG, catalog.name)

    def delete_data_catalog(self, name: str) -> None:
        """Remove an empty data catalog."""
        with self._engine.begin() as connection:
            self._lock_catalog(connection, name)
            query = select(_databases.c.id).where(_databases.c.catalog_name == name).limit(1)
            if connection.execute(query).first() is not None:
                raise InvalidInputError(f"DataCatalog {name} is not empty")
            connection.execute(delete(_catalogs).where(_catalogs.c.name == name))

    def create_database(self, database: Database) -> None:
        """Add a database."""
        with self._engine.begin() as connection:
            self._lock_catalog(connection, database.catalog_name)
            query = select(_databases.c.id).where(is_database(database.full_name))
            if connection.execute(query).first() is not None:
                raise AlreadyExistsError(EntityKind.DATABASE, database.name)
            siblings = connection.execute(
                select(func.count())
                .select_from(_databases)
                .where(_databases.c.catalog_name == database.catalog_name)
            ).scalar_one()
            identity.check_limit(
                EntityKind.DATABASE, database.name, siblings + 1, self._limits.databases_max
            )
            connection.execute(
                insert(_databases).values(
                    catalog_name=database.catalog_name,
                    name=database.name,
                    document=dump(database),
                )
            )

    def get_database(self, name: DatabaseName) -> Database:
        """Give a database."""
        with self._engine.connect() as connection:
            query = select(_databases.c.document).where(is_database(name))
            text = connection.execute(query).scalar()
        if text is None:
            raise EntityNotFoundError(EntityKind.DATABASE, str(name))
        return load_database(name, text)

    def list_databases(
        self,
        catalog_name: str,
        *,
        name_matches: Callable[[str], bool] | None,
        page_size: int,
        token: str | None,
    ) -> Page[Database]:
        """List the databases of a data catalog."""
        with self._engine.connect() as connection:
            self._require_catalog(connection, catalog_name)
            page = list_by_name(
                connection,
                "databases",
                select(_databases).where(_databases.c.catalog_name == catalog_name),
                _databases.c.name,
                name_matches=name_matches,
                page_size=page_size,
                token=token,
            )
        return map_page(
            page, lambda row: load_database(DatabaseName(catalog_name, row.name), row.document)
        )

    def update_database(self, database: Database) -> None:
        """Replace a database's properties."""
        with self._engine.begin() as connection:
            database_id = self._lock_database(connection, database.full_name)
            is_row = _databases.c.id == database_id
            text = connection.execute(select(_databases.c.document).where(is_row)).scalar_one()
            created = load_database(database.full_name, text).create_time
            document = dump(replace(database, create_time=created))
            connection.execute(update(_databases).where(is_row).values(document=document))

    def delete_database(self, name: DatabaseName, *, cascade: bool) -> None:
        """Remove a database, and with `cascade` all it holds."""
        with self._engine.begin() as connection:
            database_id = self._lock_database(connection, name)
            table_ids = select(_tables.c.id).where(_tables.c.database_id == database_id)
            if cascade:
                # Writers to these tables must be done, or fail, before their rows go.
                connection.execute(
                    update(_tables)
                    .where(_tables.c.database_id == database_id)
                    .values(generation=_tables.c.generation + 1)
                )
            elif connection.execute(table_ids.limit(1)).first() is not None:
                raise InvalidInputError(f"Database {name} is not empty: it holds tables")
            for owned in schema.OWNED_BY_TABLE:
                connection.execute(delete(owned).where(owned.c.table_id.in_(table_ids)))
            connection.execute(delete(_tables).where(_tables.c.database_id == database_id))
            connection.execute(delete(_functions).where(_functions.c.database_id == database_id))
            connection.execute(delete(_databases).where(_databases.c.id == database_id))

    def create_function(self, function: UserDefinedFunction) -> None:
        """Add a function."""
        with self._engine.begin() as connection:
            database_id = self._lock_database(connection, identity.function_database(function))
            query = select(_functions.c.name).where(
                _functions.c.database_id == database_id,
                _functions.c.name == function.function_name,
            )
            if connection.execute(query).first() is not None:
                raise identity.function_exists(function)
            connection.execute(
                insert(_functions).values(
                    database_id=database_id,
                    name=function.function_name,
                    document=dump(function),
                )
            )

    def get_function(self, database: DatabaseName, name: str) -> UserDefinedFunction:
        """Give a function."""
        with self._engine.connect() as connection:
            database_id = self._database_id(connection, database)
            query = select(_functions.c.document).where(
                _functions.c.database_id == database_id, _functions.c.name == name
            )
            text = connection.execute(query).scalar()
        if text is None:
            raise identity.function_not_found(database, name)
        return load_function(text)

    def list_functions(
        self,
        database: DatabaseName,
        *,
        name_matches: Callable[[str], bool] | None,
        page_size: int,
        token: str | None,
    ) -> Page[UserDefinedFunction]:
        """List the functions of a database."""
        with self._engine.connect() as connection:
            database_id = self._database_id(connection, database)
            page = list_by_name(
                connection,
                "functions",
                select(_functions).where(_functions.c.database_id == database_id),
                _functions.c.name,
                name_matches=name_matches,
                page_size=page_size,
                token=token,
            )
        return map_page(page, lambda row: load_function(row.document))

    def update_function(self, function: UserDefinedFunction) -> None:
        """Replace a function."""
        database = identity.function_database(function)
        with self._engine.begin() as connection:
            database_id = self._lock_database(connection, database)
            result = connection.execute(
                update(_functions)
                .where(
                    _functions.c.database_id == database_id,
                    _functions.c.name == function.function_name,
                )
                .values(document=dump(function))
            )
            if not result.rowcount:
                raise identity.function_not_found(database, function.function_name)

    def delete_function(self, database: DatabaseName, name: str) -> None:
        """Remove a function."""
        with self._engine.begin() as connection:
            database_id = self._lock_database(connection, database)
            result = connection.execute(
                delete(_functions).where(
                    _functions.c.database_id == database_id, _functions.c.name == name
                )
            )
            if not result.rowcount:
                raise identity.function_not_found(database, name)
