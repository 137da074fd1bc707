// A sales team: every row belongs to the user who made it, and stages change through a function.

import { anonymous, equal, fileRoundTrip, input, newUser, output, refused, succeeded } from './session.mjs';

const project = await input();
const ada = await newUser(project, 'ada@example.com');
const bob = await newUser(project, 'bob@example.com');

for (const { client, user } of [ada, bob]) {
  succeeded('the defaults', await client.database.rpc('seed_crm_defaults', { p_user_id: user.id }));
}
const stages = succeeded("Ada's stages", await ada.client.database.from('lead_stages').select('id, name, order_index').order('order_index'));
equal('stages of one user', stages.map((stage) => stage.order_index), [1, 2, 3, 4, 5, 6, 7]);

const [lead] = succeeded(
  'a lead',
  await ada.client.database
    .from('leads')
    .insert([{ company_name: 'Acme', contact_name: 'Wile', industry: 'mail order', current_stage_id: stages[0].id, tags: ['warm', 'desert'], user_id: ada.user.id }])
    .select('id, tags, stage:lead_stages(name)'),
);
equal('the tags of the lead', lead.tags, ['warm', 'desert']);
equal('the stage of the lead', lead.stage.name, 'New Lead');

succeeded(
  'moving the lead',
  await ada.client.database.rpc('update_lead_stage', { p_lead_id: lead.id, p_to_stage_id: stages[1].id, p_user_id: ada.user.id, p_notes: 'called' }),
);
const history = succeeded('the history', await ada.client.database.from('lead_stage_history').select('notes').eq('lead_id', lead.id));
equal('the history of the lead', history, [{ notes: 'called' }]);

equal("what Bob sees of Ada's leads", succeeded('reading as Bob', await bob.client.database.from('leads').select()), []);
refused("a lead in Ada's name by Bob", await bob.client.database.from('leads').insert([{ company_name: 'B', contact_name: 'B', user_id: ada.user.id }]));
const untouched = succeeded("Bob changing Ada's lead", await bob.client.database.from('leads').update({ notes: 'mine' }).eq('id', lead.id).select());
equal("rows Bob changed", untouched, []);

const paper = new TextEncoder().encode('offer\n'.repeat(500));
const stored = await fileRoundTrip(ada.client, 'documents', 'ada/offer.txt', paper);
refused('a file without an account', await anonymous(project).storage.from('documents').upload('x.txt', new Blob(['x'])));

output({ ada: ada.user.id, bob: bob.user.id, lead: lead.id, file: stored.key, bytes: paper.length });
