"""SQLAlchemy, the ORM with psycopg2: a type that casts nothing, and the tenant set as each transaction begins."""

from contextlib import contextmanager

from sqlalchemy import BigInteger, Column, create_engine, event, exc, select
from sqlalchemy.orm import Session, declarative_base
from sqlalchemy.types import UserDefinedType


class EncryptedText(UserDefinedType):
    """A column of an encrypted type. Values are str."""

    cache_ok = True

    def __init__(self, name="encrypted_text"):
        self.name = name

    def get_col_spec(self):
        return self.name


Base = declarative_base()


class Account(Base):
    __tablename__ = "account"
    id = Column(BigInteger, primary_key=True)
    team_id = Column(BigInteger, server_default="filled in by the database")
    email = Column(EncryptedText("encrypted_text_eq"))
    token = Column(EncryptedText())


# Errors would hold the parameters otherwise.
engine = create_engine("postgresql+psycopg2://", hide_parameters=True)


@event.listens_for(Session, "after_begin")
def set_tenant(session, _transaction, connection):
    if "tenant" in session.info:
        connection.exec_driver_sql("SELECT cordon.set_tenant(%s)", (session.info["tenant"],))


@contextmanager
def tenant_session(tenant):
    with Session(engine, info={"tenant": tenant}) as session, session.begin():
        yield session


for tenant in "12":
    with tenant_session(tenant) as session:
        session.add(Account(email="anna@example.org", token="token of " + tenant))
for _ in range(10):
    for tenant in "12":
        with tenant_session(tenant) as session:
            account = session.execute(select(Account).where(Account.email == "anna@example.org")).scalar_one()
            assert account.token == "token of " + tenant and account.team_id == int(tenant)
            account.token = "token of " + tenant
with tenant_session("1") as session:
    assert session.execute(select(Account.token).where(Account.email.in_(["anna@example.org", "x"]))).scalars().all() == ["token of 1"]
    session.add_all(Account(email=f"bulk{i}@example.org", token=f"bulk {i}") for i in range(500))
with tenant_session("1") as session:
    assert sum(account.token.startswith("bulk ") for account in session.execute(select(Account)).scalars()) == 500

try:
    with Session(engine) as session:
        session.execute(select(Account).where(Account.email == "anna@example.org")).all()
    raise SystemExit("no error without a tenant")
except exc.ProgrammingError as error:
    assert error.orig.pgcode == "42501" and "anna" not in error.orig.diag.message_primary
try:
    with tenant_session("1") as session:
        session.add(Account(email="anna@example.org", token="again"))
    raise SystemExit("no error for a value that is there")
except exc.IntegrityError as error:
    assert error.orig.pgcode == "23505" and "anna" not in str(error) and "again" not in str(error)
