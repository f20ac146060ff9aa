-- Every line of a price is rounded before it is added up: nothing is ever left to be booked as rounding.
delete from ledger_accounts a where account = 'rounding' and not exists (
    select from ledger_postings p where p.legal_entity_id = a.legal_entity_id and p.account = a.account);
create or replace function open_ledger_accounts() returns trigger language plpgsql security definer
set search_path = public as $$
begin
    insert into ledger_accounts select new.id, a.account, a.number from (values
        ('receivable', '1200'), ('bank', '1000'), ('cash', '1010'), ('tax', '2200'), ('revenue', '4000'))
        a (account, number);
    insert into number_series (legal_entity_id, series) values (new.id, 'invoice'), (new.id, 'credit_note');
    insert into ledger_heads (legal_entity_id, seq, hash) values (new.id, 0, sha256(convert_to(new.id::text, 'UTF8')));
    return null;
end $$;
alter table ledger_accounts drop constraint ledger_accounts_account_check;
alter table ledger_accounts add constraint ledger_accounts_account_check
    check (account in ('receivable', 'revenue', 'tax', 'bank', 'cash'));
