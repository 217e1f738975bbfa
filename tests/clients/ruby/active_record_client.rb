# ActiveRecord: sealed types are registered as text, so that attributes and where(email: …) work.
require "active_record"

module SealedTypes
  NAMES = %w[encrypted_text encrypted_text_eq shared_encrypted_text shared_encrypted_text_eq].freeze

  def initialize_type_map(map = type_map)
    super
    NAMES.each { |name| map.register_type(name, ActiveRecord::Type::Text.new) }
  end
end
require "active_record/connection_adapters/postgresql_adapter"
ActiveRecord::ConnectionAdapters::PostgreSQLAdapter.prepend(SealedTypes)
ActiveRecord::Base.establish_connection(adapter: "postgresql", host: ENV["PGHOST"], database: ENV["PGDATABASE"], username: "app")

class Account < ActiveRecord::Base
  self.table_name = "account"
  self.primary_key = "id"
  attribute :team_id, :integer
end

def as_tenant(tenant)
  Account.transaction do
    Account.connection.exec_query("SELECT cordon.set_tenant($1)", "tenant", [ActiveRecord::Relation::QueryAttribute.new("tenant", tenant, ActiveRecord::Type::String.new)])
    yield
  end
end

def check(condition, what) = condition || abort(what)

%w[1 2].each { |tenant| as_tenant(tenant) { Account.create!(team_id: tenant, email: "anna@example.org", token: "token of #{tenant}") } }
10.times do
  %w[1 2].each do |tenant|
    as_tenant(tenant) do
      account = Account.find_by!(email: "anna@example.org")
      check(account.token == "token of #{tenant}" && account.team_id == tenant.to_i, "tenant #{tenant} found #{account.inspect}")
      account.update!(token: "token of #{tenant}", note: "a note")
    end
  end
end
as_tenant("1") do
  Account.insert_all!((0...500).map { |i| { team_id: 1, email: "bulk#{i}@example.org", token: "bulk #{i}" } })
  check(Account.where(email: ["anna@example.org", "bulk7@example.org", "x"]).count == 2, "IN")
end
begin
  Account.find_by(email: "anna@example.org")
  abort "no error without a tenant"
rescue ActiveRecord::StatementInvalid => error
  check(error.cause.is_a?(PG::InsufficientPrivilege) && !error.message.include?("token of"), error.message)
end
begin
  as_tenant("1") { Account.create!(team_id: 1, email: "anna@example.org") }
  abort "no error for a value that is there"
rescue ActiveRecord::RecordNotUnique
end
